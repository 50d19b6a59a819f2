"""Bare runs of onnxruntime: what the local model is held against.

Reads one JSON object a line from standard input and answers each with one: {"texts": [...], "batch": n} computes the texts, which
are tokenised before the clock starts, sorted by length, in batches of n; {"single": text, "times": n} computes one text n times.
Time is the process's own on a core, in seconds, and the wall's. One thread, no spinning, as the router's.
"""

import json
import sys
import time

import numpy
import onnxruntime
from tokenizers import Tokenizer

folder, file = sys.argv[1], sys.argv[2]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
options.add_session_config_entry("session.intra_op.allow_spinning", "0")
session = onnxruntime.InferenceSession(folder + "/" + file, options, providers=["CPUExecutionProvider"])
tokenizer = Tokenizer.from_file(folder + "/tokenizer.json")
tokenizer.no_padding()
tokenizer.enable_truncation(max_length=256)


def inputs(batch):
    width = max(len(ids) for ids in batch)
    ids = numpy.zeros((len(batch), width), dtype=numpy.int64)
    mask = numpy.zeros_like(ids)
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}


def timed(runs):
    wall, own = time.perf_counter(), time.process_time()
    walls = []
    for run in runs:
        before = time.perf_counter()
        session.run(None, run)
        walls.append(time.perf_counter() - before)
    return {"cpu": time.process_time() - own, "wall": time.perf_counter() - wall, "each": sorted(walls)[len(walls) // 2]}


print("{}", flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    if "single" in asked:
        run = inputs([tokenizer.encode(asked["single"]).ids])
        session.run(None, run)
        answer = timed([run] * asked["times"])
    else:
        texts = sorted((tokenizer.encode(text).ids for text in asked["texts"]), key=len)
        size = asked["batch"]
        answer = timed([inputs(texts[at : at + size]) for at in range(0, len(texts), size)])
    print(json.dumps(answer), flush=True)
