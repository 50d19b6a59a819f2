"""A client of KEDA's external scaler, generated from its proto: `keda_client.py ADDRESS`.

Reads a call a line, `{"method": ..., "request": ...}`, and writes a line for each answer: `{"call": N, "message": ...,
"metadata": ...}`, and `{"call": N, "status": ...}` at a call's end. Calls run beside each other.
"""

import importlib
import json
import os
import sys
import tempfile
import threading

import grpc
import grpc_tools
from google.protobuf import json_format
from grpc_tools import protoc

here = os.path.dirname(os.path.abspath(__file__))
generated = tempfile.mkdtemp()
code = protoc.main([
    "protoc", f"-I{here}", f"--python_out={generated}", f"--grpc_python_out={generated}",
    os.path.join(here, "externalscaler.proto"),
])
assert code == 0, f"protoc ends with {code}"
sys.path.insert(0, generated)
messages = importlib.import_module("externalscaler_pb2")
services = importlib.import_module("externalscaler_pb2_grpc")
STREAMS = ("StreamIsActive", "StreamMetricSpec")

lock = threading.Lock()
stub = services.ExternalScalerStub(grpc.insecure_channel(sys.argv[1]))


def write(line):
    with lock:
        print(json.dumps(line), flush=True)


def call(number, method, request):
    kind = messages.GetMetricsRequest if method == "GetMetrics" else messages.ScaledObjectRef
    request = json_format.ParseDict(request, kind())
    try:
        if method in STREAMS:
            running = getattr(stub, method)(request)
            told = dict(running.initial_metadata())
            answers = running
        else:
            answer, running = getattr(stub, method).with_call(request)
            told = dict(running.initial_metadata())
            answers = [answer]
        for answer in answers:
            message = json_format.MessageToDict(answer, always_print_fields_with_no_presence=True)
            write({"call": number, "message": message, "metadata": {k: v for k, v in told.items() if isinstance(v, str)}})
        write({"call": number, "status": running.code().name})
    except grpc.RpcError as error:
        write({"call": number, "status": error.code().name})


for number, line in enumerate(sys.stdin):
    asked = json.loads(line)
    threading.Thread(target=call, args=(number, asked["method"], asked["request"]), daemon=True).start()
