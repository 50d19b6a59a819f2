"""Unmodified clients of OpenAI's API against a running router.

    clients.py answers|retries URL VECTOR

VECTOR is that of the text `red apple`, in JSON. Exits with 0 where each client found what it expects.
"""

import json
import sys

import openai
import tiktoken
import tiktoken.registry
from langchain_openai import OpenAIEmbeddings

TEXT = "red apple"
HOST = {"Host": "app.example"}  # what the documents route; a real deployment has a name of its own


def close(found, expected):
    assert len(found) == len(expected), (found, expected)
    assert all(abs(a - b) < 1e-5 for a, b in zip(found, expected)), (found, expected)


def raised(kind, status, part, ask):
    try:
        ask()
    except kind as error:
        assert error.status_code == status, error
        assert part in error.message, error.message
        assert error.type and error.body["message"], error.body
        return error
    raise AssertionError("%s was expected" % kind)


def openai_answers(url, vector):
    client = openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0, default_headers=HOST)
    create = client.embeddings.create
    answer = create(model="text-embedding-3-small", input=TEXT)  # asks for base64 by default
    close(answer.data[0].embedding, vector)
    assert answer.model == "tiny" and answer.object == "list" and answer.usage.total_tokens == 4, answer
    close(create(model="m", input=TEXT, encoding_format="float").data[0].embedding, vector)
    base64 = create(model="m", input=TEXT, encoding_format="base64").data[0].embedding
    assert isinstance(base64, str), base64
    many = create(model="m", input=["one", TEXT, "three"], user="u", dimensions=len(vector))
    assert [one.index for one in many.data] == [0, 1, 2]
    close(many.data[1].embedding, vector)
    close(create(model="m", input=TEXT, extra_body={"prompt_name": "passage"}).data[0].embedding, vector)
    assert [model.id for model in client.models.list()][0] == "tiny"
    assert client.models.retrieve("tiny").id == "tiny"

    bad = openai.BadRequestError
    error = raised(bad, 400, "check_embedding_ctx_length=False", lambda: create(model="m", input=[1, 2, 3]))
    assert (error.param, error.code, error.type) == ("input", None, "invalid_request_error"), error.body
    raised(bad, 400, "check_embedding_ctx_length=False", lambda: create(model="m", input=[[1, 2], [3]]))
    raised(bad, 400, "2048", lambda: create(model="m", input=["a"] * 2049))
    raised(bad, 400, "empty", lambda: create(model="m", input=""))
    error = raised(bad, 400, "vectors of 4 numbers", lambda: create(model="m", input="a", dimensions=3))
    assert error.param == "dimensions", error.body
    raised(openai.NotFoundError, 404, "no model", lambda: client.models.retrieve("gpt"))


def langchain_answers(url, vector):
    # tiktoken fetches its vocabularies from a host that tests do not ask; any will do, since ids are refused as such.
    bytes_alone = {bytes([byte]): byte for byte in range(256)}
    tiktoken.registry.ENCODINGS["cl100k_base"] = tiktoken.Encoding(
        "cl100k_base", pat_str=r"[\s\S]", mergeable_ranks=bytes_alone, special_tokens={}
    )
    settings = {"base_url": url + "/v1", "api_key": "none", "model": "text-embedding-3-small"}
    settings.update(max_retries=0, default_headers=HOST)
    plain = OpenAIEmbeddings(check_embedding_ctx_length=False, **settings)
    close(plain.embed_query(TEXT), vector)
    close(plain.embed_documents(["one", TEXT])[1], vector)
    tokens = OpenAIEmbeddings(**settings)
    raised(openai.BadRequestError, 400, "check_embedding_ctx_length=False", lambda: tokens.embed_query(TEXT))
    raised(openai.BadRequestError, 400, "check_embedding_ctx_length=False", lambda: tokens.embed_documents([TEXT]))


def retries(url):
    client = openai.OpenAI(base_url=url + "/v1", api_key="none", default_headers=HOST)
    answer = client.embeddings.create(model="m", input="a", encoding_format="float")
    assert answer.data[0].embedding == [1.0], answer


def main(part, url, vector):
    if part == "retries":
        retries(url)
    else:
        openai_answers(url, vector)
        langchain_answers(url, vector)


main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
