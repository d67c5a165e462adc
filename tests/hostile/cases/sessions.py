"""Sessions: names that mean something elsewhere, states that break, and sizes that add up."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from tests.hostile.case import (
    CREATED,
    EMPTY,
    INVALID,
    MALFORMED,
    MISSING,
    OK,
    OVER,
    REFUSED,
    STOPPED,
    Family,
    Request,
    Step,
    Weight,
    get,
    problem,
    run,
    send,
)

FAMILY: Final = Family("sessions")
SESSION: Final = "x = torch.ones(3, requires_grad=True)\ny = (x * x).sum()"
WRONG: Final = INVALID | REFUSED | OVER
X: Final = "/v1/sessions/{sid}/tensors/x"
SOUND: Final = Step(get(X), OK, says=b'"data":[1.0,1.0,1.0]')
slow: Final = {"weight": Weight.SLOW, "kills": True}
heavy: Final = {"weight": Weight.HEAVY, "kills": True}


def then_sound(name: str, request: Request, accepted: Any, **options: Any) -> None:
    """Declare a request after which ``x`` has to be what it was."""
    FAMILY.steps(name, Step(request, accepted), SOUND, session=SESSION, **options)


NAMES: Final = {
    "SQL": "x'; DROP TABLE sessions; --",
    "SQL with quotes": 'x" OR "1"="1',
    "a path": "../../etc/passwd",
    "a dunder": "__class__",
    "a keyword": "lambda",
    "a dollar": "$x",
    "a NUL": "x\0",
    "markup": "<script>",
    "500 letters": "a" * 500,
    "5,000 letters": "a" * 5000,
    "digits": "123",
    "a space": "x y",
    "letters that fold": "\uff58",
    "half a pair": "\ud83d",
    "right to left": "\u202ex",
    "torch": "torch",
    "a dot": "x.grad",
    "a dunder behind a dot": "x.__dict__",
}
for name, text in NAMES.items():
    path = f"/v1/sessions/{{sid}}/tensors/{quote(text, safe='', errors='surrogatepass')}"
    harmless = ("letters that fold", "500 letters", "a dunder", "a keyword", "digits", "torch")  # only a name
    made = OK | CREATED if name in harmless else frozenset()
    then_sound(f"PUT a tensor named by {name}", send("PUT", path, [1.0]), WRONG | MISSING | MALFORMED | made)
    read = OK if name == "letters that fold" else frozenset()
    then_sound(f"GET a tensor named by {name}", get(path), MISSING | INVALID | MALFORMED | REFUSED | read)
for name in ("SQL", "a path", "a dunder", "a NUL", "half a pair", "5,000 letters"):
    then_sound(
        f"backward from {name}",
        send("POST", "/v1/sessions/{sid}/backward", {"tensor": NAMES[name]}),
        MISSING | WRONG | MALFORMED,
    )
    then_sound(
        f"zero_grad of {name}",
        send("POST", "/v1/sessions/{sid}/zero_grad", {"tensors": [NAMES[name]]}),
        MISSING | WRONG | MALFORMED,
    )
    then_sound(
        f"graph of {name}",
        get(f"/v1/sessions/{{sid}}/graph?tensor={quote(NAMES[name], safe='', errors='surrogatepass')}"),
        MISSING | WRONG | MALFORMED,
    )
then_sound("graph in a format that nobody draws", get("/v1/sessions/{sid}/graph?tensor=y&format=../../x"), INVALID)

# -- a run that fails leaves nothing ----------------------------------------------------------------------------------
for name, code in {
    "an error in the last line": "x.data.mul_(9)\nz = torch.ones(1)\nx.nobody()",
    "a write, then too much": "x.data.mul_(9)\ny = torch.zeros(10**12)",
    "a deleted name, then an error": "del x\ny.nobody()",
    "a name rebound, then an error": "x = torch.zeros(1)\ny.nobody()",
    "an error inside a view": "v = x.data[1:]\nv.mul_(9)\nv.nobody()",
    "a resize, then an error": "x.data = torch.zeros(9)\ny.nobody()",
    "a default changed, then an error": "torch.set_default_dtype(torch.float64)\nx.data.mul_(9)\ny.nobody()",
    "a freed graph, then an error": "y.backward()\nx.data.mul_(9)\ny.nobody()",
}.items():
    then_sound(f"fails: {name}", run(code), REFUSED | OVER)
then_sound(
    "fails: a write, then no end", run("x.data.mul_(9)\nwhile True:\n    x.data.mul_(1)"), STOPPED | REFUSED, **slow
)
then_sound(
    "fails: a write, then a long kernel",
    run("x.data.mul_(9)\nu = torch.linalg.svd(torch.rand(3600, 3600))"),
    STOPPED,
    **heavy,
)
then_sound(
    "fails: a write, then all memory",
    run("x.data.mul_(9)\nl = []\nwhile True:\n    l.append(torch.ones(5000000))"),
    STOPPED | REFUSED,
    **heavy,
)

# -- sizes ----------------------------------------------------------------------------------------------------------
then_sound("a tensor over the session's bytes", run("big = torch.ones(20000000)"), OVER, **slow)
then_sound(
    "a text over the session's bytes",
    run("s = ['a' * 900000 + str(i) for i in range(90)]\nt = '' + s[0]"),
    OVER | REFUSED,
    **slow,
)
then_sound(
    "a list of texts over the session's bytes",
    run("l = []\nfor i in range(900):\n    l.append('a' * 900000 + str(i))"),
    OVER | REFUSED,
    **slow,
)
then_sound(
    "a long list over the session's bytes",
    run("l = []\nfor i in range(100):\n    l.append([0.5] * 900000)"),
    OVER | REFUSED,
    **slow,
)
then_sound("one text ninety thousand times", run("t = ['a' * 900000]\nl = t * 90000"), OVER | REFUSED, **slow)
then_sound("one tuple a million times", run("t = (0,) * 999\nl = [t] * 900000"), OVER | REFUSED, **slow)
then_sound(
    "tuples of tuples, twice each", run("t = (0,)\nfor i in range(40):\n    t = (t, t)"), STOPPED | REFUSED, **slow
)
then_sound(
    "views that hold a large base",
    run("b = torch.ones(10000000)\nv = b[:1]\ndel b\nc = torch.ones(10000000)\nw = c[:1]\ndel c"),
    OVER | OK,
    **slow,
)
then_sound(
    "saved tensors over the session's bytes",
    run("b = torch.ones(4000000, requires_grad=True)\nfor i in range(6):\n    b = b.exp()"),
    OVER,
    **slow,
)
then_sound(
    "10,001 names",
    run(lambda: "\n".join(f"a{i} = 1" for i in range(9000)) + "\n" + ";".join(f"b{i}=1" for i in range(1100))),
    OVER | REFUSED,
    **slow,
)
then_sound(
    "PUT of a tensor over the session's bytes",
    Request(
        "PUT",
        "/v1/sessions/{sid}/tensors/z",
        lambda: b"[" + b"0," * 20_000_000 + b"0]",
        {"Content-Type": "application/json"},
    ),
    OVER,
    **heavy,
)
then_sound("the graph of 20,000 nodes", run("z = x\nfor i in range(20000):\n    z = z * 1"), OK | STOPPED, **slow)
FAMILY.steps(
    "a graph over its limit, drawn",
    Step(run("z = x\nfor i in range(6000):\n    z = z * 1"), OK | OVER),
    Step(get("/v1/sessions/{sid}/graph?tensor=z&format=svg"), OVER | MISSING | problem(501)),
    Step(get("/v1/sessions/{sid}/graph?tensor=z"), OVER | MISSING),
    SOUND,
    session=SESSION,
    **slow,
)
FAMILY.steps(
    "a graph just below its limit, as a picture",
    Step(run("z = x\nfor i in range(4000):\n    z = z * 1"), OK),
    Step(get("/v1/sessions/{sid}/graph?tensor=z&format=svg"), OK | STOPPED | problem(501)),
    SOUND,
    session=SESSION,
    **heavy,
)
FAMILY.steps(
    "a chain over a hundred runs",
    *[Step(run("y = y * 1.01"), OK)] * 30,
    Step(run("y.backward()"), OK),
    SOUND,
    session=SESSION,
)

# -- patches --------------------------------------------------------------------------------------------------------
PATCHES: Final[dict[str, Any]] = {
    "nothing": {},
    "an unknown field": {"grad_fn": None},
    "a gradient of another shape": {"grad": [1.0]},
    "data of another dtype": {"data": {"data": [1], "dtype": "int8"}},
    "data that lie": {"data": {"data": [1.0], "shape": [2**40]}},
    "a text for requires_grad": {"requires_grad": "yes"},
}
for name, value in PATCHES.items():
    then_sound(f"PATCH with {name}", send("PATCH", X, value), WRONG)
then_sound(
    "backward with a gradient of another shape",
    send("POST", "/v1/sessions/{sid}/backward", {"tensor": "y", "gradient": [1.0, 2.0]}),
    WRONG,
)
then_sound(
    "backward with unknown inputs",
    send("POST", "/v1/sessions/{sid}/backward", {"tensor": "y", "inputs": ["nobody"]}),
    WRONG | MISSING,
)
FAMILY.steps(
    "backward twice over a freed graph",
    Step(send("POST", "/v1/sessions/{sid}/backward", {"tensor": "y"}), OK),
    Step(send("POST", "/v1/sessions/{sid}/backward", {"tensor": "y"}), REFUSED),
    SOUND,
    session=SESSION,
)
FAMILY.steps(
    "a session deleted twice",
    Step(send("DELETE", "/v1/sessions/{sid}"), EMPTY),
    Step(send("DELETE", "/v1/sessions/{sid}"), MISSING),
    Step(run("x"), MISSING),
    session=SESSION,
)
FAMILY.steps(
    "a session that is deleted while forty use it",
    Step(run("z = x * 2"), OK | MISSING | problem(410) | problem(429) | problem(503), clients=20),
    Step(send("DELETE", "/v1/sessions/{sid}"), EMPTY),
    Step(run("z = x * 2"), MISSING, clients=20),
    session=SESSION,
    **slow,
)
FAMILY.steps(
    "a session that ends at once",
    Step(send("POST", "/v1/sessions", {"ttl_seconds": 0.001}), CREATED),
    Step(get("/v1/sessions/{sid}"), MISSING | problem(410), session_from=0),
)
