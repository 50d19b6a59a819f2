"""Writes the parts of the ONNX format that an encoder needs, with the standard library alone.

Owns the protobuf encoding of onnx.proto3 (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3); the field numbers
below are from there. Never knows what a graph means: bert_graph.py does.
"""

import struct

FLOAT, UINT8, INT64 = 1, 2, 7  # TensorProto.DataType
ATTRIBUTE_FLOAT, ATTRIBUTE_INT, ATTRIBUTE_INTS = 1, 2, 7  # AttributeProto.AttributeType


def varint(value):
    value &= (1 << 64) - 1  # negative numbers are ten bytes of two's complement
    out = bytearray()
    while True:
        if value < 0x80:
            out.append(value)
            return bytes(out)
        out.append(value & 0x7F | 0x80)
        value >>= 7


def integer(field, value):
    return varint(field << 3) + varint(value)


def blob(field, value):
    """A field of bytes: a string, a nested message, raw tensor data."""
    if isinstance(value, str):
        value = value.encode()
    return varint(field << 3 | 2) + varint(len(value)) + value


def packed(field, values):
    return blob(field, b"".join(varint(value) for value in values))


def tensor(name, data_type, dims, raw):
    """A TensorProto; `raw` holds its elements little-endian."""
    return packed(1, dims) + integer(2, data_type) + blob(8, name) + blob(9, raw)


def attribute(name, value):
    if isinstance(value, float):
        return blob(1, name) + varint(2 << 3 | 5) + struct.pack("<f", value) + integer(20, ATTRIBUTE_FLOAT)
    if isinstance(value, int):
        return blob(1, name) + integer(3, value) + integer(20, ATTRIBUTE_INT)
    return blob(1, name) + packed(8, value) + integer(20, ATTRIBUTE_INTS)


def node(op_type, inputs, outputs, attributes):
    out = b"".join(blob(1, name) for name in inputs) + b"".join(blob(2, name) for name in outputs)
    out += blob(3, outputs[0]) + blob(4, op_type)
    return out + b"".join(blob(5, attribute(name, attributes[name])) for name in sorted(attributes))


def value_info(name, data_type, dims):
    """A ValueInfoProto; a dimension that is a string is a symbol."""
    shape = b"".join(blob(1, blob(2, dim) if isinstance(dim, str) else integer(1, dim)) for dim in dims)
    return blob(1, name) + blob(2, blob(1, integer(1, data_type) + blob(2, shape)))


class Graph:
    """Nodes and initializers in the order in which they were added."""

    def __init__(self, name):
        self.name = name
        self.nodes = []
        self.initializers = []
        self.inputs = []
        self.outputs = []

    def constant(self, name, data_type, dims, raw):
        self.initializers.append(tensor(name, data_type, dims, raw))
        return name

    def op(self, op_type, inputs, output, **attributes):
        """Adds a node and gives its output's name, or all names where `output` is a list."""
        outputs = output if isinstance(output, list) else [output]
        self.nodes.append(node(op_type, inputs, outputs, attributes))
        return output

    def model(self, opset, producer):
        graph = b"".join(blob(1, item) for item in self.nodes) + blob(2, self.name)
        graph += b"".join(blob(5, item) for item in self.initializers)
        graph += b"".join(blob(11, item) for item in self.inputs) + b"".join(blob(12, item) for item in self.outputs)
        # IR version 8 is the one that came with opset 17 (onnx 1.12).
        return integer(1, 8) + blob(2, producer) + blob(7, graph) + blob(8, blob(1, "") + integer(2, opset))
