"""Answers: a few bytes that ask for hundreds of megabytes of them."""

from __future__ import annotations

from typing import Any, Final

from tests.hostile.case import OK, OVER, REFUSED, STOPPED, Family, Outcomes, Request, Weight, json_body

FAMILY: Final = Family("answers", kills=True, weight=Weight.HEAVY)


def ask(name: str, accepted: Outcomes, code: str, headers: dict[str, str] | None = None, **options: Any) -> None:
    """Declare a program whose answer is large. ``outputs`` and the like stand among the options."""
    fields = {
        key: options.pop(key) for key in ("outputs", "encoding", "include", "backward", "grads") if key in options
    }
    media = {"Content-Type": "application/json", **(headers or {})}
    FAMILY.send(name, Request(body=lambda: json_body({"code": code, **fields}), headers=media), accepted, **options)


ask("an answer of 850 MB", OVER | STOPPED, "x = torch.rand(100000000)", outputs=["x"])
ask("one tensor as 4,000 outputs", OVER | STOPPED | REFUSED | OK, "x = torch.rand(20000)", outputs=["x"] * 4000)
ask(
    "one tensor under 400 names",
    OVER | STOPPED,
    "x = torch.rand(1000000)\n" + "\n".join(f"y{i} = x" for i in range(400)),
)
ask("an expanded tensor", OVER | STOPPED, "x = torch.rand(1).expand(100000000)", outputs=["x"])
ask(
    "an expanded tensor in base64",
    OVER | STOPPED,
    "x = torch.rand(1).expand(130000000)",
    outputs=["x"],
    encoding="base64",
)
ask(
    "an expanded tensor in msgpack",
    OVER | STOPPED,
    "x = torch.rand(1).expand(130000000)",
    {"Accept": "application/msgpack"},
    outputs=["x"],
)
ask(
    "NaN, a hundred million times",
    OVER | STOPPED,
    "x = torch.full((1,), float('nan')).expand(100000000)",
    outputs=["x"],
)
ask("complex numbers", OVER | STOPPED, "x = torch.rand(1).to(torch.complex128).expand(60000000)", outputs=["x"])
ask("truth values", OVER | STOPPED, "x = (torch.rand(1) > 2).expand(130000000)", outputs=["x"])
ask(
    "a gradient that is large",
    OVER | STOPPED,
    "x = torch.ones(50000000, requires_grad=True)\nx.sum().backward()",
    outputs=["x"],
)
ask(
    "lists that share their parts",
    OVER | STOPPED | REFUSED,
    "v = [0.5] * 1000\nfor i in range(10):\n    v = [v, v, v, v]",
    weight=Weight.SLOW,
)
ask(
    "texts under many names",
    OVER | STOPPED | REFUSED,
    "s = 'a' * 900000\n" + "\n".join(f"t{i} = s" for i in range(900)),
)
ask(
    "texts that JSON makes longer",
    OVER | STOPPED | REFUSED,
    "s = '\\x00' * 900000\n" + "\n".join(f"t{i} = s" for i in range(200)),
)
ask("lists of texts", OVER | STOPPED | REFUSED, "l = ['a' * 900] * 900000")
ask("a list of itself", OVER | REFUSED | OK, "l = []\nl.append(l)", weight=Weight.LIGHT)
ask("numbers of 10,000 digits", OVER | STOPPED | REFUSED | OK, "l = [3 ** 10000] * 900", weight=Weight.SLOW)
ask(
    "views of views as values",
    OVER | STOPPED | REFUSED,
    "l = []\nx = torch.rand(1000)\nfor i in range(50000):\n    l.append(x)",
)
ask(
    "a dictionary of large tensors",
    OVER | STOPPED | REFUSED,
    "x = torch.rand(1000000)\nd = {}\nfor i in range(900):\n    d[i] = x",
)
ask(
    "a graph of 90,000 nodes",
    OVER | STOPPED,
    "y = torch.ones(1, requires_grad=True)\nfor i in range(90000):\n    y = y * 1.0",
    include=["graph"],
)
ask(
    "prints up to their limit",
    OVER | STOPPED | REFUSED,
    "for i in range(9000):\n    print('\\x00' * 1000)",
    weight=Weight.SLOW,
)
