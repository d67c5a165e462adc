"""Any order of commands, restarts, retries and expiries, against a model that is a few plain numbers."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from anyio.from_thread import start_blocking_portal
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from app.stores.sqlite import SqliteStore
from tests.app.conftest import served

NAMES = st.sampled_from(["x", "y", "z"])
NUMBERS = st.integers(-4, 4).map(float)


@dataclass(frozen=True)
class Leaf:
    """A tensor of two equal numbers, and its gradient."""

    value: float
    grad: float | None = None


@dataclass
class Model:
    """What a session has to be: leaves, what each recorded product was made of, and the version."""

    leaves: dict[str, Leaf] = field(default_factory=dict)
    outs: dict[str, tuple[str, float]] = field(default_factory=dict)  # by name: leaf and its value then
    version: int = 0


class Sessions(RuleBasedStateMachine):
    """Sessions of one service over one SQLite file."""

    sessions = Bundle("sessions")

    @initialize()
    def serve(self) -> None:
        self.stack = ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.portal = self.stack.enter_context(start_blocking_portal())
        self.models: dict[str, Model] = {}
        self.gone: set[str] = set()
        self.answers: list[tuple[str, str, Any, str, bytes]] = []
        self.start()

    def start(self) -> None:
        self.running = ExitStack()
        self.client = self.running.enter_context(served(self.portal, store="sqlite", data=self.folder))

    @rule()
    def restart(self) -> None:
        self.running.close()
        self.start()

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.running.close()
            self.stack.close()

    # -- commands -----------------------------------------------------------------------------------------------------
    def send(self, method: str, path: str, body: Any, key: bool = False) -> httpx.Response:
        """A request; one with a key is remembered, to be repeated later."""
        headers = {"Idempotency-Key": f"key{len(self.answers)}"} if key else {}
        answer = self.client(method, path, json=body, headers=headers)
        if key and answer.is_success:
            self.answers.append((method, path, body, headers["Idempotency-Key"], answer.content))
        return answer

    def expect(self, sid: str, answer: httpx.Response, succeeds: bool) -> bool:
        """Whether the model has to change: it does when the request succeeded, which the model knows."""
        assert answer.is_success is (succeeds and sid not in self.gone), answer.text
        if answer.is_success:
            self.models[sid].version += 1
        return answer.is_success

    @rule(target=sessions, key=st.booleans())
    def create(self, key: bool) -> str:
        sid = str(self.send("POST", "/v1/sessions", {}, key).json()["id"])
        self.models[sid] = Model()
        return sid

    @rule(sid=sessions, name=NAMES, value=NUMBERS, key=st.booleans())
    def put(self, sid: str, name: str, value: float, key: bool) -> None:
        body = {"data": [value, value], "requires_grad": True}
        if self.expect(sid, self.send("PUT", f"/v1/sessions/{sid}/tensors/{name}", body, key), True):
            model = self.models[sid]
            for out in [out for out, (leaf, _) in model.outs.items() if leaf == name]:
                del model.outs[out]  # its leaf has no name any more: the model does not follow it
            model.leaves[name] = Leaf(value)

    @rule(sid=sessions, name=NAMES, key=st.booleans())
    def run(self, sid: str, name: str, key: bool) -> None:
        model = self.models[sid]
        code = {"code": f"{name}_out = ({name} * {name}).sum()", "outputs": []}
        if self.expect(sid, self.send("POST", f"/v1/sessions/{sid}/run", code, key), name in model.leaves):
            model.outs[f"{name}_out"] = name, model.leaves[name].value

    @rule(sid=sessions, name=NAMES, retain=st.booleans(), key=st.booleans())
    def backward(self, sid: str, name: str, retain: bool, key: bool) -> None:
        model, out = self.models[sid], f"{name}_out"
        body = {"tensor": out, "retain_graph": retain}
        answer = self.send("POST", f"/v1/sessions/{sid}/backward", body, key)
        known = model.outs.get(out)
        if known is None and sid not in self.gone and answer.is_success:  # of a leaf that lost its name
            model.version += 1
            return
        if self.expect(sid, answer, known is not None and model.leaves[known[0]].value == known[1]) and known:
            leaf = model.leaves[known[0]]
            model.leaves[known[0]] = replace(leaf, grad=(leaf.grad or 0.0) + 2 * known[1])
            if not retain:
                del model.outs[out]

    @rule(sid=sessions, to_none=st.booleans(), key=st.booleans())
    def zero(self, sid: str, to_none: bool, key: bool) -> None:
        answer = self.send("POST", f"/v1/sessions/{sid}/zero_grad", {"set_to_none": to_none}, key)
        if self.expect(sid, answer, True):
            leaves = self.models[sid].leaves
            for name, leaf in leaves.items():
                leaves[name] = replace(leaf, grad=None if to_none or leaf.grad is None else 0.0)

    @rule(sid=sessions, name=NAMES)
    def edit(self, sid: str, name: str) -> None:
        """An edit behind autograd's back, then one that the version counter sees."""
        code = {"code": f"{name}.data.mul_(2)\nwith torch.no_grad():\n    {name}.add_(1)", "outputs": []}
        model = self.models[sid]
        if self.expect(sid, self.send("POST", f"/v1/sessions/{sid}/run", code), name in model.leaves):
            leaf = model.leaves[name]
            model.leaves[name] = replace(leaf, value=2 * leaf.value + 1)
            model.outs.pop(f"{name}_out", None)
            code = {"code": f"{name}_out = None", "outputs": []}
            self.expect(sid, self.send("POST", f"/v1/sessions/{sid}/run", code), True)

    @rule(sid=sessions, name=NAMES)
    def fail(self, sid: str, name: str) -> None:
        """A run that does a lot, then fails."""
        code = f"torch.manual_seed(1)\n{name}.data.zero_()\n{name}_out.backward()\nnothing_of_this_name"
        self.expect(sid, self.send("POST", f"/v1/sessions/{sid}/run", {"code": code}), False)

    @rule(sid=sessions, name=NAMES)
    def drop(self, sid: str, name: str) -> None:
        model = self.models[sid]
        answer = self.client("DELETE", f"/v1/sessions/{sid}/tensors/{name}")
        if self.expect(sid, answer, name in model.leaves):
            del model.leaves[name]
            model.outs.pop(f"{name}_out", None)

    @rule(sid=consumes(sessions))
    def remove(self, sid: str) -> None:
        assert self.client("DELETE", f"/v1/sessions/{sid}").is_success is (sid not in self.gone)
        self.gone.add(sid)

    @rule(sid=consumes(sessions))
    def expire(self, sid: str) -> None:
        """Let the session's time be over, and sweep."""
        store = SqliteStore(self.folder)
        store.open()
        for ends in ("sessions SET expires_at = ? WHERE id = ?", "changes SET expires_at = ? WHERE sid = ?"):
            store._write(partial(_update, ends, time.time() - 1, sid))
        store.close()
        self.client.sweep()
        status = self.client("GET", f"/v1/sessions/{sid}").status_code
        assert status == 410
        self.gone.add(sid)

    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        """An earlier request again, with its key: the earlier answer, and nothing else."""
        if self.answers:
            method, path, body, key, content = data.draw(st.sampled_from(self.answers))
            answer = self.client(method, path, json=body, headers={"Idempotency-Key": key})
            assert (answer.content, answer.headers["idempotency-replayed"]) == (content, "true")

    @rule(sid=sessions, target=sessions)
    def copy(self, sid: str) -> str:
        """Exported and imported: another session like it."""
        document = self.client("GET", f"/v1/sessions/{sid}/export")
        headers = {"Content-Type": "application/msgpack"}
        made = self.client("POST", "/v1/sessions/import", content=document.content, headers=headers)
        assert made.status_code == 201, made.text
        twin, model = str(made.json()["id"]), self.models[sid]
        self.models[twin] = Model(dict(model.leaves), dict(model.outs), 0)
        return twin

    # -- what has to hold ---------------------------------------------------------------------------------------------
    @invariant()
    def every_session_is_as_the_model_says(self) -> None:
        for sid, model in getattr(self, "models", {}).items():
            if sid in self.gone:
                continue
            head = self.client("GET", f"/v1/sessions/{sid}").json()
            assert head["version"] == model.version
            for name, leaf in model.leaves.items():
                record = self.client("GET", f"/v1/sessions/{sid}/tensors/{name}").json()
                assert record["data"] == [leaf.value] * 2
                assert (record["grad"] and record["grad"]["data"]) == (None if leaf.grad is None else [leaf.grad] * 2)


def _update(statement: str, ends: float, sid: str, cursor: Any) -> None:
    cursor.execute(f"UPDATE {statement}", (ends, sid))


TestSessions = Sessions.TestCase
TestSessions.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
