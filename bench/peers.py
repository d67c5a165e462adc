"""What the server is compared with: the service a user of PyTorch would write, and the least that answers at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

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


def tutorial(given: Input) -> Output:
    """The tutorial's graph: forward and backward."""
    x = torch.tensor(given.x, requires_grad=True)
    y = x + 2
    out = (y * y * 3).mean()
    out.backward()
    return Output(y=y.tolist(), out=out.item(), x_grad=x.grad.tolist())


@diy.post("/async")
async def tutorial_on_the_loop(given: Input) -> Output:
    """Fastest, though a long computation stops every other request."""
    return tutorial(given)


@diy.post("/sync")
def tutorial_in_a_thread(given: Input) -> Output:
    """As FastAPI advises for work that blocks."""
    return tutorial(given)


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
