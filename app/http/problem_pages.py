"""What each ``type`` of a problem answers to a GET: what it means, and what to do about it."""

from __future__ import annotations

from html import escape
from typing import Final

import orjson
from fastapi import Response
from fastapi.responses import HTMLResponse

from app.errors import NotFound
from app.http.docs import policy
from app.http.problems import Kind, by_slug

STYLE: Final = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 44rem; margin: 2rem auto; padding: 0 1rem; }
"""
HEADERS: Final = policy(STYLE)
AGAIN: Final = "Send the request again after the seconds that Retry-After names"
MEANINGS: Final = {
    "client-gone": "The client closed its connection before the answer; its work was ended. Only the metrics see this.",
    "gone": "The session lived for its ttl_seconds after its last use. Open a new one, or import an export.",
    "headers-too-large": "The target and headers of the request are over header_bytes or headers of /v1/limits.",
    "http-version": "Speak HTTP/1.1 or HTTP/1.0.",
    "idempotency-key-reused": "This Idempotency-Key came with another request before. A new request needs a new key.",
    "in-progress": f"The first request with this Idempotency-Key still runs. {AGAIN}: it gets the first answer.",
    "internal": "A fault of the service, not of the request. The log of the service has it under request_id.",
    "interrupted": f"The process that ran this died, and nothing was changed. {AGAIN}.",
    "invalid-http": "The request can be read in more than one way, or breaks HTTP; detail says how.",
    "invalid-program": "The program is outside of the language, or of the form of nodes; node or line say where.",
    "invalid-request": "A field, a parameter or a header is not as /openapi.json says; errors lists them.",
    "invalid-tensor": "A tensor cannot be read: its lists are ragged, or data, dtype and shape do not fit each other.",
    "malformed-body": "The body is not the JSON, msgpack, gzip or zstd that it claims to be, or has a key twice.",
    "not-acceptable": "Accept has to allow application/json or application/msgpack.",
    "not-available": "PyTorch has this name or argument, or Python may have this module, and this service does not."
    " /v1/ops lists what it has, hint the modules.",
    "not-found": "There is no such session, tensor, op or path; or it belongs to another key.",
    "outcome-unknown": "The process died storing the change. The same request with its Idempotency-Key finds out.",
    "over-limit": "The request is over the limit that it names; allowed and asked say by how much. /v1/limits has all.",
    "overloaded": f"Every process is busy and the queue is full, or the service is about to end. {AGAIN}.",
    "refused": "PyTorch would refuse this, too: detail has its words, exception its class, and node or line the place.",
    "store-unavailable": f"The store of sessions is away or full; nothing was changed. {AGAIN}.",
    "time-limit": "It took longer than the limit that it names, the time in the queue included; nothing was changed.",
    "too-many": f"There are too many requests, sessions or connections of one owner or address. {AGAIN}.",
    "too-slow": "The head or the body of the request came more slowly than read_seconds and read_rate allow.",
    "unauthorized": "Name a key: `Authorization: Bearer KEY`, or KEY as the password of HTTP Basic.",
    "unavailable": "This installation lacks what it takes, as Graphviz for pictures.",
    "unreadable-session": "The session is damaged, or was stored by a later version. It can be deleted.",
    "unsupported-http": "The request uses a part of HTTP that is not spoken here, as another Transfer-Encoding.",
    "unsupported-media-type": "Content-Type or Content-Encoding cannot be read here; detail lists what can.",
    "unwritable-answer": "The answer nests too deep, or holds a number that no body can carry.",
    "version-conflict": "The session is not at the version that If-Match asks for. Read it again, then decide.",
}


def answer(slug: str, accept: str | None) -> Response:
    """Return the page of a type of problem, for people or, where they are asked for, as JSON. Raises ``NotFound``."""
    kind = by_slug().get(slug)
    if kind is None:
        raise NotFound("type of problem")
    if accept is not None and "json" in accept and "text/html" not in accept:
        told = {"type": f"/problems/{slug}", "title": kind.title, "status": kind.status, "meaning": MEANINGS[slug]}
        return Response(orjson.dumps(told), media_type="application/json", headers={"Vary": "Accept"})
    return HTMLResponse(_page(kind), headers={**HEADERS, "Vary": "Accept"})


def _page(kind: Kind) -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(kind.title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
        f"<h1>{escape(kind.title)}</h1><p><code>/problems/{kind.slug}</code>, status {kind.status}</p>"
        f'<p>{escape(MEANINGS[kind.slug])}</p><p><a href="/docs">All of the service</a></p></html>'
    )
