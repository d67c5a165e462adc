"""A store that fails at any of its calls: the client is told, nothing is half done, and a retry counts once."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from multiprocessing.sharedctypes import RawValue
from typing import Any

import pytest

from app.limits import Limits
from app.main import create_app
from app.settings import Settings
from app.stores.base import SessionStore, StoreError
from app.stores.factory import store_for
from app.stores.memory import MemoryStore
from tests.app.conftest import Client, Serve
from tests.app.session_cases import directory_over, opened, picture_in, run_code

CALLS = frozenset(name for name in vars(SessionStore) if not name.startswith("_")) - {"open", "close"}
KEY = {"Idempotency-Key": "once"}
GRAPH = "x = torch.tensor([1.0, 2.0], requires_grad=True)\ny = (x * x).sum()\nb = torch.zeros(5000)\n"
STEP = {"code": "y.backward(retain_graph=True)\nb[4] += 1\nz = x.grad * 2\n"}


class Failing:
    """A store whose call number ``failing`` raises, before it does anything or, ``late``, when it is done.

    The numbers lie in shared memory: the store is used in another process than the one that sets them.
    """

    def __init__(self, store: SessionStore, numbers: Any) -> None:
        self.store, self.numbers = store, numbers

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)
        return self._guarded(method) if name in CALLS else method

    def _guarded(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            numbers = self.numbers
            numbers.calls += 1
            fails = numbers.calls == numbers.failing
            if fails and not numbers.late:
                raise StoreError("secret: /var/lib/gradserve")
            result = method(*args, **kwargs)
            if fails:
                raise StoreError("secret: postgresql://user:password@host")
            return result

        return call


class Numbers(ctypes.Structure):
    """How many calls there were, which is the one that fails, and when."""

    _fields_ = (("calls", ctypes.c_int64), ("failing", ctypes.c_int64), ("late", ctypes.c_bool))


def new_numbers() -> Any:
    """Numbers that children see, too; no call fails yet."""
    return RawValue(Numbers, 0, -1, False)


@pytest.fixture
def failing(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> tuple[Client, Any]:
    """A client, and the numbers of the store in the only compute process."""
    numbers = new_numbers()
    monkeypatch.setattr("app.http.services.store_for", lambda *args: Failing(store_for(*args), numbers))
    return serve(), numbers


def facts(client: Client, sid: str) -> Any:
    """The session as a client sees it."""
    head = client("GET", f"/v1/sessions/{sid}").json()
    names = [one["name"] for one in head["tensors"]]
    records = {name: client("GET", f"/v1/sessions/{sid}/tensors/{name}").json() for name in names}
    return head["version"], head["tensors"], records


def typical(client: Client, sid: str) -> Any:
    return client("POST", f"/v1/sessions/{sid}/run", json=STEP, headers=KEY)


def test_a_typical_run_asks_the_store_often_enough(failing: tuple[Client, Any]) -> None:
    client, store = failing
    sid = client.open()
    client.run(sid, code=GRAPH)
    store.calls = 0
    assert typical(client, sid).status_code == 200
    assert store.calls >= 3  # the key, the owner's usage, the commit


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("number", range(1, 9))
def test_a_run_over_a_store_that_fails_is_whole_or_nothing(
    failing: tuple[Client, Any], number: int, late: bool
) -> None:
    client, store = failing
    sid = client.open()
    client.run(sid, code=GRAPH)
    before = facts(client, sid)
    store.calls, store.failing, store.late = 0, number, late
    answer = typical(client, sid)
    store.failing = -1
    if answer.status_code == 200:
        assert store.calls < number or number > 4  # it never came to the call that fails, or that was a chore
    else:
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/store-unavailable")
        assert "retry-after" in answer.headers
        assert "secret" not in answer.text
        after = facts(client, sid)
        assert after == before or (late and after[0] == before[0] + 1)
    repeated = typical(client, sid)
    assert repeated.status_code == 200, repeated.text
    version, _, records = facts(client, sid)
    assert version == before[0] + 1
    assert records["x"]["grad"]["data"] == [2.0, 4.0]
    assert records["b"]["data"][4] == 1.0
    assert records["z"]["data"] == [4.0, 8.0]


@pytest.mark.parametrize("late", [False, True])
def test_every_request_over_a_store_that_fails_is_answered(failing: tuple[Client, Any], late: bool) -> None:
    client, store = failing
    requests: list[tuple[str, str, Any]] = [
        ("POST", "", {}), ("GET", "", None), ("GET", "/{sid}", None), ("POST", "/{sid}/backward", {"tensor": "y"}),
        ("PUT", "/{sid}/tensors/w", [1.0]), ("PATCH", "/{sid}/tensors/w", {"data": [2.0]}),
        ("DELETE", "/{sid}/tensors/w", None), ("POST", "/{sid}/zero_grad", {}), ("GET", "/{sid}/export", None),
        ("GET", "/{sid}/graph?tensor=y", None), ("DELETE", "/{sid}", None),
    ]  # fmt: skip
    sid = client.open()
    client.run(sid, code=GRAPH)
    seen = set()
    for method, path, body in requests:
        for number in range(1, 8):
            store.calls, store.failing, store.late = 0, number, late
            options = {} if body is None else {"json": body}
            answer = client(method, f"/v1/sessions{path.format(sid=sid)}", **options)
            store.failing = -1
            assert answer.status_code < 500 or answer.json()["type"] == "/problems/store-unavailable", answer.text
            seen.add(answer.status_code)
            if store.calls < number:
                break
    assert 503 in seen


def test_what_a_failed_commit_wrote_is_taken_up_and_not_written_again() -> None:
    """The commit took effect but was not acknowledged: the live session must not go on as if it had not."""
    inner = MemoryStore()
    numbers = new_numbers()
    directory = directory_over(Failing(inner, numbers))
    sid = opened(directory)
    run_code(directory, sid, GRAPH)
    numbers.calls, numbers.failing, numbers.late = 0, 2, True
    with pytest.raises(StoreError):
        run_code(directory, sid, "k = 1\ny.backward(retain_graph=True)")
    assert picture_in(directory, sid) == picture_in(directory_over(inner), sid)
    assert run_code(directory, sid, "print(k, x.grad)") == ["1 tensor([2., 4.])"]


def test_a_store_that_cannot_be_opened_ends_the_start(tmp_path: Any) -> None:
    taken = tmp_path / "file"
    taken.write_text("not a folder")
    app = create_app(Settings(limits=Limits(), store="sqlite", data=taken / "data"))
    with pytest.raises(StoreError, match="cannot make the folder"):
        app.state.services.store.open()
