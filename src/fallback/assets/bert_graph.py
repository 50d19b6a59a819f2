"""Builds the ONNX graph of a BERT encoder straight from its safetensors file, in fp32 or with uint8 weights.

Owns the graph: inputs input_ids, attention_mask and token_type_ids (int64 [batch, sequence]), output last_hidden_state
(float [batch, sequence, hidden]), opset 17. Never pools or normalises: the router does, by what the manifest says.

The quantised variant keeps uint8 weights, per output channel and asymmetric. Unsigned on both sides because the x86 kernels
for unsigned by signed bytes saturate at int16 on AVX2 without VNNI. The feed-forward output projection stays fp32: its
input has outliers that eight bits do not hold.
"""

import array
import json
import math
import struct
import sys

from onnx_wire import FLOAT, INT64, UINT8, Graph, value_info

MASKED = -10000.0  # added to the score of a padding position; exp() of it is 0 in fp32


class Weights:
    """A safetensors file: eight bytes of header length, a JSON header, then the tensors (little-endian)."""

    def __init__(self, path):
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            self.header = json.loads(file.read(length))
            self.data = file.read()

    def shape(self, name):
        return self.header[name]["shape"]

    def raw(self, name):
        entry = self.header[name]
        if entry["dtype"] != "F32":
            raise ValueError("tensor %s is %s, and F32 is what can be read" % (name, entry["dtype"]))
        start, end = entry["data_offsets"]
        return self.data[start:end]

    def floats(self, name):
        values = array.array("f", self.raw(name))
        if sys.byteorder == "big":
            values.byteswap()
        return values


def little_endian(values):
    if sys.byteorder == "big":
        values = array.array(values.typecode, values)
        values.byteswap()
    return values.tobytes()


def transposed(values, rows, columns):
    """A row-major [rows, columns] as [columns, rows]: PyTorch keeps [out, in], MatMul takes [in, out]."""
    out = array.array(values.typecode)
    for column in range(columns):
        out.extend(values[column::columns])
    assert len(out) == rows * columns
    return out


def quantised_row(row):
    """One output channel as (bytes, scale, zero point): 0 is exact, as ONNX's own quantiser has it."""
    low, high = min(min(row), 0.0), max(max(row), 0.0)
    scale = (high - low) / 255.0 or 1.0
    zero = min(255, max(0, int(round(-low / scale))))
    inverse = 1.0 / scale
    shift = zero + 0.5  # floor(x + 0.5): the same everywhere, unlike round()
    floor = math.floor
    return bytes([min(255, max(0, floor(value * inverse + shift))) for value in row]), scale, zero


class Encoder:
    """The graph under construction."""

    def __init__(self, weights, config, quantised):
        self.weights = weights
        self.quantised = quantised
        self.hidden = config["hidden_size"]
        self.heads = config["num_attention_heads"]
        self.layers = config["num_hidden_layers"]
        self.epsilon = config["layer_norm_eps"]
        self.graph = Graph(config["_name_or_path"].rsplit("/", 1)[-1] or "bert")

    def build(self):
        graph = self.graph
        for name in ("input_ids", "attention_mask", "token_type_ids"):
            graph.inputs.append(value_info(name, INT64, ["batch", "sequence"]))
        self.constants()
        mask = self.mask()
        state = self.embeddings()
        for layer in range(self.layers):
            state = self.layer(layer, state, mask)
        graph.op("Identity", [state], "last_hidden_state")
        graph.outputs.append(value_info("last_hidden_state", FLOAT, ["batch", "sequence", self.hidden]))
        return graph.model(17, "overspill")

    def constants(self):
        for name, value in (("one", 1.0), ("half", 0.5), ("root_two", math.sqrt(2.0)), ("masked", MASKED)):
            self.graph.constant(name, FLOAT, [], struct.pack("<f", value))
        head = self.hidden // self.heads
        for name, values in (
            ("zero_index", [0]),
            ("one_index", [1]),
            ("two_index", [2]),
            ("mask_axes", [1, 2]),
            ("split_heads", [0, 0, self.heads, head]),
            ("join_heads", [0, 0, self.hidden]),
        ):
            self.graph.constant(name, INT64, [len(values)], struct.pack("<%dq" % len(values), *values))

    def parameter(self, name):
        return self.graph.constant(name, FLOAT, self.weights.shape(name), self.weights.raw(name))

    def mask(self):
        """0 where there is a token, MASKED where there is padding, as [batch, 1, 1, sequence]."""
        op = self.graph.op
        apart = op("Unsqueeze", ["attention_mask", "mask_axes"], "mask/apart")
        present = op("Cast", [apart], "mask/present", to=FLOAT)
        return op("Mul", [op("Sub", ["one", present], "mask/absent"), "masked"], "mask/scores")

    def embeddings(self):
        op = self.graph.op
        words = op("Gather", [self.parameter("embeddings.word_embeddings.weight"), "input_ids"], "embeddings/words")
        types = op(
            "Gather", [self.parameter("embeddings.token_type_embeddings.weight"), "token_type_ids"], "embeddings/types"
        )
        shape = op("Shape", ["input_ids"], "embeddings/shape")
        length = op("Slice", [shape, "one_index", "two_index"], "embeddings/length")
        table = self.parameter("embeddings.position_embeddings.weight")
        places = op("Slice", [table, "zero_index", length, "zero_index"], "embeddings/places")
        total = op("Add", [op("Add", [words, types], "embeddings/typed"), places], "embeddings/sum")
        return self.norm("embeddings.LayerNorm", total)

    def norm(self, name, value):
        inputs = [value, self.parameter(name + ".weight"), self.parameter(name + ".bias")]
        return self.graph.op("LayerNormalization", inputs, name, axis=-1, epsilon=self.epsilon)

    def dense(self, name, value, rows, bias, exact=False):
        """value x rows^T + bias, where `rows` holds one list of floats for each output channel."""
        op, graph = self.graph.op, self.graph
        columns = len(rows[0])
        if self.quantised and not exact:
            product = self.quantised_product(name, value, rows)
        else:
            flat = array.array("f", [])
            for row in rows:
                flat.extend(row)
            kernel = little_endian(transposed(flat, len(rows), columns))
            product = op(
                "MatMul", [value, graph.constant(name + ".kernel", FLOAT, [columns, len(rows)], kernel)], name + "/product"
            )
        return op("Add", [product, graph.constant(name + ".bias", FLOAT, [len(rows)], little_endian(bias))], name)

    def quantised_product(self, name, value, rows):
        """The form that ONNX Runtime fuses into one DynamicQuantizeMatMul."""
        op, graph = self.graph.op, self.graph
        flat, scales, zeros = array.array("B"), array.array("f"), bytearray()
        for row in rows:
            values, scale, zero = quantised_row(row)
            flat.frombytes(values)
            scales.append(scale)
            zeros.append(zero)
        count, columns = len(rows), len(rows[0])
        kernel = graph.constant(name + ".kernel", UINT8, [columns, count], transposed(flat, count, columns).tobytes())
        scale = graph.constant(name + ".scale", FLOAT, [count], little_endian(scales))
        zero = graph.constant(name + ".zero", UINT8, [count], bytes(zeros))
        outputs = [name + "/bytes", name + "/bytes_scale", name + "/bytes_zero"]
        data, data_scale, data_zero = op("DynamicQuantizeLinear", [value], outputs)
        whole = op("MatMulInteger", [data, kernel, data_zero, zero], name + "/integers")
        both = op("Mul", [data_scale, scale], name + "/scale")
        return op("Mul", [op("Cast", [whole], name + "/float", to=FLOAT), both], name + "/product")

    def rows(self, name):
        count, columns = self.weights.shape(name + ".weight")
        flat = self.weights.floats(name + ".weight")
        return [flat[row * columns : (row + 1) * columns] for row in range(count)]

    def attention(self, name, value, mask):
        """Query, key and value are one product; the score's 1/sqrt(head) is folded into the query's weights."""
        op, weights = self.graph.op, self.weights
        factor = 1.0 / math.sqrt(self.hidden // self.heads)
        rows, bias = [], array.array("f")
        for part in ("query", "key", "value"):
            by = factor if part == "query" else 1.0
            rows.extend(array.array("f", [item * by for item in row]) for row in self.rows(name + ".self." + part))
            bias.extend(item * by for item in weights.floats(name + ".self." + part + ".bias"))
        joint = self.dense(name + ".self.qkv", value, rows, bias)
        query, key, content = op("Split", [joint], [name + "/q", name + "/k", name + "/v"], axis=2)
        query = self.split_heads(query, [0, 2, 1, 3])
        key = self.split_heads(key, [0, 2, 3, 1])
        content = self.split_heads(content, [0, 2, 1, 3])
        scores = op("Add", [op("MatMul", [query, key], name + "/scores"), mask], name + "/masked")
        mixed = op("MatMul", [op("Softmax", [scores], name + "/shares", axis=-1), content], name + "/mixed")
        back = op("Transpose", [mixed], name + "/back", perm=[0, 2, 1, 3])
        return op("Reshape", [back, "join_heads"], name + "/joined")

    def split_heads(self, value, order):
        apart = self.graph.op("Reshape", [value, "split_heads"], value + "/heads")
        return self.graph.op("Transpose", [apart], value + "/turned", perm=order)

    def layer(self, index, state, mask):
        op = self.graph.op
        name = "encoder.layer.%d" % index
        mixed = self.attention(name + ".attention", state, mask)
        mixed = self.linear(name + ".attention.output.dense", mixed)
        state = self.norm(name + ".attention.output.LayerNorm", op("Add", [mixed, state], name + "/attended"))
        wide = self.gelu(name, self.linear(name + ".intermediate.dense", state))
        narrow = self.linear(name + ".output.dense", wide, exact=True)
        return self.norm(name + ".output.LayerNorm", op("Add", [narrow, state], name + "/fed"))

    def linear(self, name, value, exact=False):
        return self.dense(name, value, self.rows(name), self.weights.floats(name + ".bias"), exact)

    def gelu(self, name, value):
        """x (1 + erf(x / sqrt 2)) / 2, in the form that ONNX Runtime fuses."""
        op = self.graph.op
        error = op("Erf", [op("Div", [value, "root_two"], name + "/gelu/scaled")], name + "/gelu/erf")
        scaled = op("Mul", [value, op("Add", [error, "one"], name + "/gelu/shifted")], name + "/gelu/product")
        return op("Mul", [scaled, "half"], name + "/gelu")


def build(weights_path, config_path, quantised):
    """The bytes of the ONNX file."""
    with open(config_path, encoding="utf-8") as file:
        config = json.load(file)
    if config["hidden_act"] != "gelu" or config["model_type"] != "bert":
        raise ValueError("the graph is that of a BERT with gelu, and %s says something else" % config_path)
    return Encoder(Weights(weights_path), config, quantised).build()
