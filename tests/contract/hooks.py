"""What schemathesis has to be told beside the document: msgpack, and what JSON Schema has no words for."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
import requests
import schemathesis

MSGPACK: Final = "application/msgpack"
PYTHON: Final = "text/x-python"
WITH_PYTHON: Final = ("outputs", "grads", "include")  # of the query, beside a program that is the body
READING: Final = ("GET", "PATCH", "DELETE")
PROGRAM: Final = "x = torch.ones(2, 2, requires_grad=True)\nq = torch.sort(x, 0)\nout = (x * 3).sum()"
# What a reader of bodies says where they are not as the document has them: no program, name or state is at fault.
SHAPE: Final = re.compile(r"Input should|Field required|Extra inputs|should (have|match)|unknown")


@schemathesis.serializer(MSGPACK)
def write(context: Any, value: Any) -> Any:
    """Return what is sent; a body of bytes, such as an exported session, is sent as it is."""
    raw = getattr(value, "data", value)
    return raw if isinstance(raw, bytes) else msgspec.msgpack.encode(_packable(value))


@schemathesis.deserializer(MSGPACK)
def read(context: Any, response: Any) -> Any:
    """Return an answer as its schema describes it: an exported session is bytes."""
    if context.operation.path.endswith("/export"):
        return response.content.decode("latin-1")
    return msgspec.msgpack.decode(response.content)


def _packable(value: Any) -> Any:
    """Return ``value`` with a number in place of integers beyond 64 bits, for which msgpack has no form."""
    if isinstance(value, dict):
        return {str(name): _packable(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_packable(part) for part in value]
    is_long = isinstance(value, int) and not -(2**63) <= value < 2**64
    return float(value) if is_long else value


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Leave out what is not what schemathesis takes it for.

    A number in the place of a text of Python *is* a text once it is sent; and a header that its own pattern refuses
    comes along as if it were right. Null in the place of a body that may be left out is what clients of Go and Rust
    send for none.
    """
    if case.media_type == PYTHON and not isinstance(case.body, str):
        return False
    if case.body is None and not any(body.is_required for body in case.operation.body):
        return False
    return not (_is_valid(case) and _breaks_a_pattern(case))


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Leave out the parts of the query that only a program of Python has; and name a session that there is."""
    if not _is_valid(case):
        return
    if case.media_type != PYTHON:
        for name in WITH_PYTHON:
            case.query.pop(name, None)
    if "{sid}" in case.path and case.meta.phase.name.value != "stateful":  # there, sessions come from answers
        case.path_parameters["sid"] = SESSIONS.for_(case)
        if case.method.upper() in READING and "name" in case.path_parameters:
            case.path_parameters["name"] = "out"
        if "tensor" in case.query:
            case.query["tensor"] = "out"
        if case.path.endswith("/backward") and isinstance(case.body, dict):
            case.body["tensor"] = "out"


class _Sessions:
    """A session with a few names, and another one once that is gone."""

    def __init__(self) -> None:
        self.sid: str | None = None

    def for_(self, case: Any) -> str:
        if self.sid is None:
            url = case.operation.base_url.rstrip("/") + "/v1/sessions"
            self.sid = requests.post(url, json={}, timeout=60).json()["id"]
            requests.post(f"{url}/{self.sid}/run", json={"code": PROGRAM}, timeout=60).raise_for_status()
        sid = self.sid
        if case.method.upper() != "GET":
            self.sid = None  # who knows what it is after that
        return sid


SESSIONS: Final = _Sessions()


@schemathesis.check
def valid_shapes_are_read(context: Any, response: Any, case: Any) -> None:
    """What is as the document has it may be refused for what it means, but not for its form."""
    if response.status_code == 400 and _is_valid(case):
        raise AssertionError(f"refused as unreadable: {response.text}")
    if response.status_code == 422 and _is_valid(case):
        problem = response.json()
        if problem["type"] == "/problems/invalid-request":
            said = [problem["detail"], *(error["msg"] for error in problem.get("errors", []))]
            if any(SHAPE.search(text) for text in said):
                raise AssertionError(f"refused for its form: {response.text}")


def _is_valid(case: Any) -> bool:
    """Return whether all of a case is meant to be as the document has it."""
    return case.meta is not None and all(part.mode.is_positive for part in case.meta.components.values())


def _breaks_a_pattern(case: Any) -> bool:
    for parameter in case.operation.headers:
        pattern, value = parameter.definition.get("schema", {}).get("pattern"), case.headers.get(parameter.name)
        if pattern is not None and isinstance(value, str) and re.search(pattern, value) is None:
            return True
    return False
