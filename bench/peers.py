"""What the server is compared with: the service a user of PyTorch would write, and the least that answers at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from uuid import uuid4

import torch
from fastapi import FastAPI
from pydantic import BaseModel

Message = MutableMapping[str, Any]

diy = FastAPI()
torch.set_num_threads(1)


class Input(BaseModel):
    x: list[list[float]]


class Output(BaseModel):
    y: list[list[float]]
    out: float
    x_grad: list[list[float]]


def tutorial(x: torch.Tensor) -> Output:
    """The tutorial's graph: forward and backward."""
    y = x + 2
    out = (y * y * 3).mean()
    out.backward()
    return Output(y=y.tolist(), out=out.item(), x_grad=x.grad.tolist())


def leaf(given: Input) -> torch.Tensor:
    return torch.tensor(given.x, requires_grad=True)


@diy.get("/healthz")
async def health() -> dict[str, str]:
    """Answers whatever else is running."""
    return {"status": "ok"}


@diy.post("/async")
async def tutorial_on_the_loop(given: Input) -> Output:
    """Fastest, though a long computation stops every other request."""
    return tutorial(leaf(given))


@diy.post("/sync")
def tutorial_in_a_thread(given: Input) -> Output:
    """As FastAPI advises for work that blocks."""
    return tutorial(leaf(given))


sessions: dict[str, torch.Tensor] = {}


class Session(BaseModel):
    id: str


@diy.post("/sessions")
async def open_session(given: Input) -> Session:
    """A leaf that is kept until the process ends."""
    session = Session(id=uuid4().hex)
    sessions[session.id] = leaf(given)
    return session


@diy.post("/sessions/{session}/run")
async def tutorial_in_a_session(session: str) -> Output:
    """The same on that leaf, whose gradients add up."""
    return tutorial(sessions[session])


class Numbers(BaseModel):
    x: list[float]


class Gradient(BaseModel):
    out: float
    x_grad: list[float]


@diy.post("/gradient")
def gradient(given: Numbers) -> Gradient:
    """The same computation on a long vector."""
    x = torch.tensor(given.x, requires_grad=True)
    out = (x * x * 3).mean()
    out.backward()
    return Gradient(out=out.item(), x_grad=x.grad.tolist())


@diy.post("/gradient-dict")
def gradient_as_dict(given: Numbers):  # type: ignore[no-untyped-def]
    """The same without a model for the answer, as most would write it: FastAPI encodes it number by number."""
    found = gradient(given)
    return {"out": found.out, "x_grad": found.x_grad}


async def echo(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Raw ASGI: sends back the body it gets."""
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
