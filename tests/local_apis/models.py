"""Writes tiny ONNX models with their tokenizer into a folder, and what they compute, worked out here in plain Python.

    models.py FOLDER

encoder/  a two-layer encoder of four numbers a token: model.onnx gives last_hidden_state, pooled.onnx takes 32-bit ids and gives
          token_embeddings and sentence_embedding. The others compute the same: half.onnx in FP16, with a mask of FP16;
          fixed.onnx for one text of eight tokens, with every input that there is, named as TensorFlow does; packed.onnx for
          three texts at once. picky.onnx fails where a text has the word "pear"
odd/      model.onnx is the encoder with vectors of NaN for texts that hold `pear`, broken.onnx that with NaN for all
scorer/   a cross-encoder: logits of a pair of texts
tensors/  half.onnx (the sum of two FP16 tensors), add.onnx (sum and product of two FP32 tensors), types.onnx (INT64 [2], BOOL, BYTES, each given back),
          label.onnx (the label of an FP32 tensor, and beside it a sequence), sequence.onnx (that alone)
expected.json  what the first two give
"""

import json
import math
import os
import random
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "fallback", "assets"))

from onnx_wire import FLOAT, INT64, Graph, blob, integer, value_info  # noqa: E402

INT32, STRING, BOOL, FLOAT16 = 6, 8, 9, 10  # TensorProto.DataType
WORDS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "query:", "red", "green", "blue", "one", "two", "three", "apple", "pear"]
WIDTH = 4
TEXTS = ["red apple", "one two three", "blue", "green pear one two red red", "unheard of"]
PAIRS = [("red apple", text) for text in ("red apple", "blue pear", "one two three")]


def numbers(count, seed):
    source = random.Random(seed)
    # As FP32 holds them, so that both sides compute with the same.
    return [struct.unpack("<f", struct.pack("<f", source.uniform(-1, 1)))[0] for _ in range(count)]


def matrix(rows, columns, seed):
    flat = numbers(rows * columns, seed)
    return [flat[row * columns : (row + 1) * columns] for row in range(rows)]


VOCABULARY = matrix(len(WORDS), WIDTH, 1)
SEGMENTS = matrix(2, WIDTH, 2)
FIRST, SECOND, BIAS = matrix(WIDTH, WIDTH, 3), matrix(WIDTH, WIDTH, 4), numbers(WIDTH, 5)
HEAD = numbers(WIDTH, 6)


def ids(text):
    return [WORDS.index(word) if word in WORDS else 3 for word in text.split()]


def times(row, table):
    return [sum(value * table[at][column] for at, value in enumerate(row)) for column in range(len(table[0]))]


def mean(rows):
    return [sum(column) / len(rows) for column in zip(*rows)]


def states(text):
    rows = [VOCABULARY[one] for one in [1] + ids(text) + [2]]
    context = mean(rows)
    rows = [[math.tanh(a + b) for a, b in zip(times(row, FIRST), context)] for row in rows]
    return [[math.tanh(a + b) for a, b in zip(times(row, SECOND), BIAS)] for row in rows]


def logit(first, second):
    segments = [(1, 0)] + [(one, 0) for one in ids(first)] + [(2, 0)] + [(one, 1) for one in ids(second)] + [(2, 1)]
    rows = [[a + b for a, b in zip(VOCABULARY[one], SEGMENTS[segment])] for one, segment in segments]
    return sum(a * b for a, b in zip(mean(rows), HEAD))


def constant(graph, name, values, shape):
    return graph.constant(name, FLOAT, shape, struct.pack("<%df" % len(values), *values))


def flat(table):
    return [value for row in table for value in row]


def masked_mean(graph, rows, mask="attention_mask"):
    """The mean of [batch, sequence, WIDTH] over what the mask leaves, as [batch, 1, WIDTH]."""
    mask = graph.op("Cast", [graph.op("Unsqueeze", [mask, "two"], "mask/apart")], "mask", to=FLOAT)
    total = graph.op("ReduceSum", [graph.op("Mul", [rows, mask], "masked"), "one"], "total")
    return graph.op("Div", [total, graph.op("ReduceSum", [mask, "one"], "count")], "context")


def start(name, inputs, integer=INT64, vocabulary=VOCABULARY):
    graph = Graph(name)
    for one in inputs:
        graph.inputs.append(value_info(one, integer, ["batch", "sequence"]))
    graph.constant("one", INT64, [1], struct.pack("<q", 1))
    graph.constant("two", INT64, [1], struct.pack("<q", 2))
    words = constant(graph, "vocabulary", flat(vocabulary), [len(WORDS), WIDTH])
    return graph, graph.op("Gather", [words, "input_ids"], "words")


def variant(shape=("batch", "sequence"), inputs=(("input_ids", INT64), ("attention_mask", INT64)), half=False, words=VOCABULARY):
    """The encoder with inputs of this shape and type: ids first, the mask second, and others that change nothing."""
    graph = Graph("variant")
    for name, data_type in inputs:
        graph.inputs.append(value_info(name, data_type, shape))
    graph.constant("one", INT64, [1], struct.pack("<q", 1))
    graph.constant("two", INT64, [1], struct.pack("<q", 2))
    table = constant(graph, "vocabulary", flat(words), [len(words), WIDTH])
    graph.op("Cast", [inputs[1][0]], "mask/whole", to=INT64)
    rows = graph.op("Gather", [table, inputs[0][0]], "words")
    context = masked_mean(graph, rows, "mask/whole")
    first = graph.op("MatMul", [rows, constant(graph, "first", flat(FIRST), [WIDTH, WIDTH])], "first/product")
    first = graph.op("Tanh", [graph.op("Add", [first, context], "first/sum")], "first/state")
    second = graph.op("MatMul", [first, constant(graph, "second", flat(SECOND), [WIDTH, WIDTH])], "second/product")
    biased = graph.op("Add", [second, constant(graph, "bias", BIAS, [WIDTH])], "second/sum")
    state = graph.op("Tanh", [biased], "state")
    kind = FLOAT16 if half else FLOAT
    graph.op("Cast", [state], "token_states", to=kind)
    graph.outputs.append(value_info("token_states", kind, [*shape, WIDTH]))
    return graph.model(17, "test")


def half_sum():
    graph = Graph("half")
    for name in ("x", "y"):
        graph.inputs.append(value_info(name, FLOAT16, ["rows"]))
    graph.op("Add", ["x", "y"], "sum")
    graph.outputs.append(value_info("sum", FLOAT16, ["rows"]))
    return graph.model(17, "test")


def encoder(integer, pooled, vocabulary=VOCABULARY):
    graph, words = start("encoder", ["input_ids", "attention_mask"], integer, vocabulary)
    context = masked_mean(graph, words)
    first = graph.op("MatMul", [words, constant(graph, "first", flat(FIRST), [WIDTH, WIDTH])], "first/product")
    first = graph.op("Tanh", [graph.op("Add", [first, context], "first/sum")], "first/state")
    second = graph.op("MatMul", [first, constant(graph, "second", flat(SECOND), [WIDTH, WIDTH])], "second/product")
    biased = graph.op("Add", [second, constant(graph, "bias", BIAS, [WIDTH])], "second/sum")
    name = "token_embeddings" if pooled else "last_hidden_state"
    graph.op("Tanh", [biased], name)
    graph.outputs.append(value_info(name, FLOAT, ["batch", "sequence", WIDTH]))
    if pooled:
        # The first token's state: what this model takes for its own pooling.
        graph.constant("zero", INT64, [], struct.pack("<q", 0))
        graph.op("Gather", [name, "zero"], "sentence_embedding", axis=1)
        graph.outputs.append(value_info("sentence_embedding", FLOAT, ["batch", WIDTH]))
    return graph.model(17, "test")


def without(*words):
    """The vocabulary without numbers for these words."""
    return [[math.nan] * WIDTH if word in words else row for word, row in zip(WORDS, VOCABULARY)]


def scorer():
    graph, words = start("scorer", ["input_ids", "attention_mask", "token_type_ids"])
    segments = graph.op("Gather", [constant(graph, "segments", flat(SEGMENTS), [2, WIDTH]), "token_type_ids"], "types")
    context = masked_mean(graph, graph.op("Add", [words, segments], "typed"))
    scores = graph.op("MatMul", [context, constant(graph, "head", HEAD, [WIDTH, 1])], "scores")
    graph.op("Squeeze", [scores, "one"], "logits")
    graph.outputs.append(value_info("logits", FLOAT, ["batch", 1]))
    return graph.model(17, "test")


def add():
    graph = Graph("add")
    for name in ("x", "y"):
        graph.inputs.append(value_info(name, FLOAT, ["rows", 3]))
    graph.op("Add", ["x", "y"], "sum")
    graph.op("Mul", ["x", "y"], "product")
    for name in ("sum", "product"):
        graph.outputs.append(value_info(name, FLOAT, ["rows", 3]))
    return graph.model(17, "test")


def types():
    graph = Graph("types")
    for name, data_type, shape in (("whole", INT64, [2]), ("truth", BOOL, ["n"]), ("text", STRING, ["n"])):
        graph.inputs.append(value_info(name, data_type, shape))
        graph.op("Identity", [name], name + "_back")
        graph.outputs.append(value_info(name + "_back", data_type, shape))
    return graph.model(17, "test")


def label(with_tensor):
    """What classifiers of scikit-learn look like: the place of the largest number, and something that is no tensor."""
    graph = Graph("label")
    graph.inputs.append(value_info("x", FLOAT, ["rows", 3]))
    if with_tensor:
        graph.op("ArgMax", ["x"], "label", axis=1, keepdims=0)
        graph.outputs.append(value_info("label", INT64, ["rows"]))
    graph.op("SequenceConstruct", ["x"], "probabilities")
    # TypeProto.sequence_type, whose elements are tensors.
    graph.outputs.append(blob(1, "probabilities") + blob(2, blob(4, blob(1, blob(1, integer(1, FLOAT))))))
    return graph.model(17, "test")


def tokenizer():
    special = [
        {"id": at, "content": word, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        for at, word in enumerate(WORDS[:4])
    ]
    def piece(kind, name, segment):
        return {kind: {"id": name, "type_id": segment}}

    single = [piece("SpecialToken", "[CLS]", 0), piece("Sequence", "A", 0), piece("SpecialToken", "[SEP]", 0)]
    pair = single + [piece("Sequence", "B", 1), piece("SpecialToken", "[SEP]", 1)]
    tokens = {word: {"id": word, "ids": [WORDS.index(word)], "tokens": [word]} for word in ("[CLS]", "[SEP]")}
    return {
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
        "padding": None,
        "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": tokens},
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": {word: at for at, word in enumerate(WORDS)}, "unk_token": "[UNK]"},
    }


def unit(vector):
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector]


def main(folder):
    files = {
        "encoder/model.onnx": encoder(INT64, False),
        "encoder/pooled.onnx": encoder(INT32, True),
        "odd/model.onnx": encoder(INT64, False, without("pear")),
        "odd/broken.onnx": encoder(INT64, False, without(*WORDS)),
        "encoder/half.onnx": variant(inputs=(("input_ids", INT64), ("attention_mask", FLOAT16)), half=True),
        "encoder/fixed.onnx": variant(
            (1, 8),
            [(name, INT32) for name in ("input_word_ids:0", "input_mask:0", "segment_ids:0", "position_ids:0")],
        ),
        "encoder/packed.onnx": variant((3, "sequence")),
        "encoder/picky.onnx": variant(words=VOCABULARY[: WORDS.index("pear")]),
        "tensors/half.onnx": half_sum(),
        "scorer/model.onnx": scorer(),
        "tensors/add.onnx": add(),
        "tensors/types.onnx": types(),
        "tensors/label.onnx": label(True),
        "tensors/sequence.onnx": label(False),
        "encoder/tokenizer.json": json.dumps(tokenizer()).encode(),
        "odd/tokenizer.json": json.dumps(tokenizer()).encode(),
        "scorer/tokenizer.json": json.dumps(tokenizer()).encode(),
        "expected.json": json.dumps(
            {
                "raw": {
                    "mean": {text: mean(states(text)) for text in TEXTS},
                    "cls": {text: states(text)[0] for text in TEXTS},
                    "lastToken": {text: states(text)[-1] for text in TEXTS},
                },
                "unit": {text: unit(states(text)[0]) for text in TEXTS + ["query: red apple", "three", "one"]},
                "logits": [[first, second, logit(first, second)] for first, second in PAIRS],
            }
        ).encode(),
    }
    for name, content in files.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)


main(sys.argv[1])
