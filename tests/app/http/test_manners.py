"""Manners of HTTP: what has not changed, what is compressed, where things are, programs and problems."""

import gzip
import json
import sys
from typing import Any

import httpx
import pytest

from app.http.problem_pages import MEANINGS
from app.http.problems import by_slug
from app.limits import Limits
from app.wire import codec
from tests.app.conftest import Client, Serve

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PYTHON = {"Content-Type": "text/x-python"}
MANY = {"code": "x = torch.zeros(20000)"}


def told(answer: httpx.Response) -> Any:
    """The JSON of an answer; httpx knows zstd only with another package."""
    is_zstd = answer.headers.get("content-encoding") == "zstd"
    return json.loads(zstd.decompress(answer.content) if is_zstd else answer.content)


# -- what has not changed -------------------------------------------------------------------------------------------
def reads(client: Client) -> list[str]:
    sid = client.open()
    client.run(sid, code="x = torch.ones(1, requires_grad=True)\ny = x * 2")
    here = f"/v1/sessions/{sid}"
    return ["/v1/ops", "/v1/ops/mul", "/v1/limits", "/v1/sessions", here, f"{here}/tensors/x", f"{here}/graph?tensor=y",
            f"{here}/graph?tensor=y&format=dot"]  # fmt: skip


def test_what_has_not_changed_is_not_sent_again(client: Client) -> None:
    for path in reads(client):
        first = client("GET", path)
        tag = first.headers["etag"]
        for named in (tag, f'"other", {tag}', f"W/{tag}", "*"):
            again = client("GET", path, headers={"If-None-Match": named})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), path
            assert "content-type" not in again.headers
        other = client("GET", path, headers={"If-None-Match": '"other"'})
        assert (other.status_code, other.headers["etag"]) == (200, tag)


def test_a_change_makes_another_tag(client: Client) -> None:
    sid = client.open()
    paths = [f"/v1/sessions/{sid}", f"/v1/sessions/{sid}/tensors/x"]
    client.run(sid, code="x = torch.ones(1)")
    tags = [client("GET", path).headers["etag"] for path in paths]
    client.run(sid, code="x += 1")
    for path, tag in zip(paths, tags, strict=True):
        assert client("GET", path, headers={"If-None-Match": tag}).status_code == 200


# -- compression ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("asked", "coding"),
    [
        ("gzip", "gzip"), ("zstd", "zstd"), ("gzip, zstd", "zstd"), ("gzip, zstd;q=0.5", "gzip"), ("*", "zstd"),
        ("br", None), ("identity", None), ("gzip;q=0", None), ("", None), ("gzip;q=0.1, identity;q=1", None),
        ("*;q=0, gzip", "gzip"),
    ],
)  # fmt: skip
def test_a_long_answer_is_compressed_as_it_is_asked_for(client: Client, asked: str, coding: str | None) -> None:
    plain = client("POST", "/v1/evaluate", json=MANY, headers={"Accept-Encoding": "identity"})
    with_coding = client("POST", "/v1/evaluate", json=MANY, headers={"Accept-Encoding": asked})
    assert with_coding.headers.get("content-encoding") == coding
    assert with_coding.headers["vary"] == "Accept, Accept-Encoding"
    assert told(with_coding) == told(plain)
    if coding:
        assert int(with_coding.headers["content-length"]) < len(plain.content) / 4


def test_what_the_front_knows_is_compressed_too(client: Client) -> None:
    answer = client("GET", "/v1/ops", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < len(answer.content)


def test_a_short_answer_is_not_compressed(client: Client) -> None:
    answer = client("POST", "/v1/evaluate", json={"nodes": []}, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers


def test_an_answer_kept_for_a_key_is_compressed_as_each_request_asks(client: Client) -> None:
    path, key = f"/v1/sessions/{client.open()}/run", {"Idempotency-Key": "k"}
    codings = []
    for asked in ("gzip", "identity", "zstd"):
        answer = client("POST", path, json={**MANY, "outputs": ["x"]}, headers={**key, "Accept-Encoding": asked})
        assert told(answer)["outputs"]["x"]["shape"] == [20000]
        codings.append(answer.headers.get("content-encoding"))
    assert codings == ["gzip", None, "zstd"]


def test_what_is_compressed_here_is_what_the_standard_library_reads() -> None:
    assert gzip.decompress(codec.compress(b"abc" * 99, "gzip")) == b"abc" * 99
    assert zstd.decompress(codec.compress(b"abc" * 99, "zstd")) == b"abc" * 99


# -- places ---------------------------------------------------------------------------------------------------------
def test_what_was_made_says_where_it_is(client: Client) -> None:
    made = client("POST", "/v1/sessions", json={})
    here = made.headers["location"]
    assert client("GET", here).json()["id"] == made.json()["id"]
    put = client("PUT", f"{here}/tensors/gewicht-ä", json=[1.0])
    assert (put.status_code, client("GET", put.headers["location"]).json()["data"]) == (201, [1.0])
    assert "location" not in client("PUT", f"{here}/tensors/gewicht-ä", json=[2.0]).headers
    document = client("GET", f"{here}/export").content
    headers = {"Content-Type": "application/msgpack"}
    copied = client("POST", "/v1/sessions/import", content=document, headers=headers)
    assert client("GET", copied.headers["location"]).status_code == 200


# -- programs as bodies ---------------------------------------------------------------------------------------------
def test_a_program_is_a_body(client: Client) -> None:
    code = "x = torch.ones(2, requires_grad=True)\ny = (x * 3).sum()\ny.backward()\nprint('ü', x.grad)\n"
    for query in ("", "?outputs=y&outputs=x&include=timings", "?outputs=y&encoding=base64&grads=x"):
        answer = client("POST", f"/v1/evaluate{query}", content=code.encode(), headers=PYTHON)
        assert answer.status_code == 200, answer.text
        assert answer.json()["prints"] == ["ü tensor([3., 3.])"]
    assert list(answer.json()["outputs"]) == ["y"]
    assert answer.json()["outputs"]["y"]["encoding"] == "base64"
    assert answer.json()["grads"]["x"]["shape"] == [2]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_program_may_begin_and_end_its_lines_as_any_editor_writes(client: Client, mark: bytes, end: bytes) -> None:
    body = mark + end.join([b"import torch", b"print(torch.ones(1))", b""])
    assert client("POST", "/v1/evaluate", content=body, headers=PYTHON).json()["prints"] == ["tensor([1.])"]


def test_a_session_runs_a_program_that_is_a_body(client: Client) -> None:
    path = f"/v1/sessions/{client.open()}/run"
    client("POST", path, content=b"x = torch.ones(2)", headers=PYTHON)
    answer = client("POST", f"{path}?outputs=x", content=b"x += 1", headers={**PYTHON, "Idempotency-Key": "p"})
    assert (answer.json()["version"], answer.json()["outputs"]["x"]["data"]) == (2, [2.0, 2.0])


@pytest.mark.parametrize(
    ("options", "status", "slug"),
    [
        ({"content": b"\xff", "headers": PYTHON}, 400, "malformed-body"),
        ({"content": b"y = nothing", "headers": PYTHON}, 422, "refused"),
        ({"content": b"import os", "headers": PYTHON}, 422, "not-available"),
        ({"content": b"#" * 50_000, "headers": PYTHON}, 413, "over-limit"),
        ({"content": b"x", "headers": {**PYTHON, "Content-Encoding": "gzip"}}, 415, "unsupported-media-type"),
        ({"json": {"nodes": []}, "params": {"outputs": "x"}}, 422, "invalid-request"),
    ],
)
def test_a_body_that_is_no_program_is_refused(serve: Serve, options: dict[str, Any], status: int, slug: str) -> None:
    answer = serve(Limits(code_length=1000))("POST", "/v1/evaluate", **options)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")


# -- pages of problems ----------------------------------------------------------------------------------------------
def test_every_type_of_problem_answers_with_what_it_means(client: Client) -> None:
    assert MEANINGS.keys() == by_slug().keys()
    for slug in MEANINGS:
        page = client("GET", f"/problems/{slug}", headers={"Accept": "text/html,*/*;q=0.8"})
        meant = client("GET", f"/problems/{slug}", headers={"Accept": "application/json"}).json()
        assert page.headers["content-type"].startswith("text/html")
        assert (meant["type"], meant["meaning"]) == (f"/problems/{slug}", MEANINGS[slug])
        assert meant["title"] in page.text
    assert client("GET", "/problems/nothing").status_code == 404


# -- media types ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("application/json;q=0.5, application/msgpack", "application/msgpack"),
        ("application/msgpack;q=0.1, application/json;q=0.2", "application/json"),
        ("application/*;q=0.5, application/msgpack;q=0.1", "application/json"),
        ("text/html, */*;q=0.1", "application/json"),
    ],
)
def test_the_weights_of_accept_count(client: Client, accept: str, media_type: str) -> None:
    answer = client("POST", "/v1/evaluate", json={"nodes": []}, headers={"Accept": accept})
    assert answer.headers["content-type"] == media_type
