"""A session while something is done to it: define-by-run commands over its names, undone as a whole when one fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, Final, Protocol

from app.errors import CallError, NotFound, VersionConflict
from app.evaluate.execution import (
    Run,
    budget_of,
    encode_grad,
    execute,
    find_tensor,
    perform,
    record_with_grad,
    sweep,
    tensor_named,
)
from app.limits import Limits, OverLimit
from app.program import graphs
from app.sessions.digests import Digests
from app.wire import codec
from app.wire.arrays import Encoding, decode_tensor
from app.wire.messages import BackwardRequest, Root, TensorPatch, ZeroGradRequest
from app.wire.reply import Reply
from engine import Tensor, errors, modes, parameters

TAG_DIGITS: Final = 32


class Rehearsal(Protocol):
    """Notes how a run goes (``app.sessions.repeating``)."""

    def carry_out(self, session: Session, run: Run, encoding: Encoding, form: codec.Format, version: int) -> Reply:
        """Run the program; the answer, written out."""


class Session:
    """The names of a session under one command. Names change in a copy; tensors change under the journal."""

    def __init__(self, names: dict[str, Any], limits: Limits, digests: Digests | None = None) -> None:
        self.namespace = dict(names)
        self.limits = limits
        self.digests = digests or Digests()
        self.rehearsal: Rehearsal | None = None  # what is to note how the run of the command goes

    def reply(self, run: Run, encoding: Encoding, form: codec.Format, version: int) -> Reply:
        """Run a program and return the answer, written out, with the version that it makes."""
        if self.rehearsal is not None:
            return self.rehearsal.carry_out(self, run, encoding, form, version)
        body = codec.encode({**self.run(run, encoding), "version": version}, form)
        return Reply(200, body, form.value, {"ETag": f'"{version}"'})

    def run(self, run: Run, encoding: Encoding) -> dict[str, Any]:
        """Run a program; its names stay."""
        answer = execute(run, self.namespace, self.limits, encoding)
        modes.settle()  # what the program set for good
        modes.current().warnings = []  # those of a next run are its own
        return answer

    def backward(self, request: BackwardRequest, encoding: Encoding) -> dict[str, Any]:
        """Sweep from one tensor; the grads of the leaves it reached, by name."""
        roots = [Root(tensor=request.tensor, gradient=request.gradient)]
        inputs = self._inputs(request.inputs)
        before = {name: tensor._grad for name, tensor in self._tensors()}
        sweep(roots, self.namespace, self.limits, request.retain_graph, request.create_graph, inputs)
        reached = self._reached(request, before)
        grads = {name: encode_grad(tensor, encoding) for name, tensor in reached.items()}
        return {"grads": grads, "warnings": list(modes.current().warnings or ())}

    def _inputs(self, names: list[str] | None) -> list[Tensor] | None:
        if names is None:
            return None
        return [tensor_named(name, self.namespace, ("inputs", i)) for i, name in enumerate(names)]

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        return ((name, value) for name, value in self.namespace.items() if parameters.is_known(value))

    def _reached(self, request: BackwardRequest, before: dict[str, Tensor | None]) -> dict[str, Tensor]:
        """Named leaves that require grad and have one now."""
        if request.inputs is not None:
            return {name: tensor_named(name, self.namespace, ("inputs",)) for name in request.inputs}
        return {
            name: tensor
            for name, tensor in self._tensors()
            if tensor._grad is not None and (tensor._grad is not before[name] or tensor.requires_grad)
        }

    def zero_grad(self, request: ZeroGradRequest) -> dict[str, Any]:
        """Drop the grads of the named tensors, or of all; or fill them with zeros."""
        if request.tensors is None:
            tensors = dict(self._tensors())
        else:
            tensors = {
                name: tensor_named(name, self.namespace, ("tensors", i)) for i, name in enumerate(request.tensors)
            }
        reset = [name for name, tensor in tensors.items() if tensor._grad is not None]
        nodes = [node for name in reset for node in _reset_nodes(name, request.set_to_none)]
        perform([{"no_grad": nodes}], self.namespace, self.limits)
        return {"zeroed": len(reset)}

    def put(self, name: str, raw: Any, encoding: Encoding) -> tuple[bool, dict[str, Any]]:
        """Bind ``name`` to a new leaf: whether the name is new, and the record."""
        is_new = name not in self.namespace
        tensor = self.namespace[name] = decode_tensor(raw, self.limits)
        return is_new, record_with_grad(tensor, encoding)

    def get(self, name: str, encoding: Encoding) -> dict[str, Any]:
        """Return the record of a tensor with its grad; ``q.0`` and ``x.grad`` are names too."""
        return record_with_grad(self.tensor(name), encoding)

    def tag(self, name: str) -> str:
        """Return what tells this tensor, as it is read, from others: a digest of its values, its grad and the rest.

        A letter begins it, so that no version of a session is like it.
        """
        tensor = self.tensor(name)
        digest = sha256()
        for one in (tensor, tensor._grad):
            if one is not None:
                told = (one.dtype.name, list(one.array.shape), one.requires_grad, one.node_name)
                digest.update(repr(told).encode())
                digest.update(self.digests.of(one))
        return f"t{digest.hexdigest()[:TAG_DIGITS]}"

    def check_tag(self, name: str, tags: frozenset[str], version: int, versions: frozenset[int] | None) -> None:
        """Raise ``VersionConflict`` unless the tensor has one of the tags, or the session is at one of the versions."""
        if version in (versions or ()):
            return
        if find_tensor(name, self.namespace) is None or self.tag(name) not in tags:
            raise VersionConflict(version, "the tensor is not the one that If-Match names")

    def tensor(self, name: str) -> Tensor:
        """Return the tensor of that name. Raises ``NotFound``."""
        tensor = find_tensor(name, self.namespace)
        if tensor is None:
            raise NotFound("tensor")
        return tensor

    def patch(self, name: str, changes: TensorPatch, encoding: Encoding) -> dict[str, Any]:
        """Assign attributes, as the program ``x.data = …`` would."""
        self.tensor(name)
        fields = [field for field in ("data", "requires_grad", "grad") if field in changes.model_fields_set]
        perform([self._assignment(name, field, changes) for field in fields], self.namespace, self.limits)
        return self.get(name, encoding)

    def _assignment(self, name: str, field: str, changes: TensorPatch) -> dict[str, Any]:
        value = getattr(changes, field)
        literal = value if value is None or field == "requires_grad" else {"tensor": value}
        return {"op": "__setattr__", "args": [f"${name}", field, literal]}

    def drop(self, name: str) -> None:
        """Forget a name. Raises ``NotFound``."""
        if name not in self.namespace:
            raise NotFound("tensor")
        del self.namespace[name]

    def graph(self, name: str) -> graphs.Graph:
        """Return the backward graph of a tensor."""
        try:
            return graphs.collect({name: self.tensor(name)}, self.namespace, self.limits)
        except errors.EngineError as error:  # a view that may not be asked for its history
            raise CallError(str(error), error.exception, "grad_fn", ("query", "tensor")) from error

    def tensors(self) -> list[dict[str, Any]]:
        """Name, dtype and shape of every tensor."""
        return [
            {"name": name, "dtype": tensor.dtype.name, "shape": list(tensor.shape),
             "requires_grad": tensor.requires_grad, "is_leaf": tensor.node_name is None}
            for name, tensor in self._tensors()
        ]  # fmt: skip

    def check_time(self) -> None:
        """Raise ``BudgetError`` if the command has used up its time."""
        budget = modes.current().budget
        if budget is not None:
            budget.check_time()


def _reset_nodes(name: str, set_to_none: bool) -> list[dict[str, Any]]:
    """Return the nodes that reset the grad of ``name``."""
    if set_to_none:
        return [{"op": "__setattr__", "args": [f"${name}", "grad", None]}]
    return [{"op": op, "args": [f"${name}.grad"]} for op in ("detach_", "zero_")]


def check_size(limits: Limits, nbytes: int, names: int) -> None:
    """Raise ``OverLimit`` if a session of that size is too large."""
    for limit, asked in (("session_bytes", nbytes), ("session_names", names)):
        allowed = getattr(limits, limit)
        if asked > allowed:
            raise OverLimit(limit, allowed=allowed, asked=asked)


@contextmanager
def transaction(
    state: modes.State, names: dict[str, Any], limits: Limits, digests: Digests | None = None, *, keep: bool = True
) -> Iterator[tuple[Session, modes.Journal]]:
    """A session to change, and what notes the changes; all is put back if the block raises, or is not to be kept."""
    journal = modes.Journal()
    settings, modules = _settings(state), dict(state.modules)
    state.warnings, state.budget, state.journal = [], budget_of(limits), journal
    try:
        with modes.use(state):
            yield Session(names, limits, digests), journal
    except BaseException:
        keep = False
        raise
    finally:
        state.warnings = state.budget = state.journal = None
        if not keep:
            journal.rollback()
            for name, value in settings.items():
                setattr(state, name, value)
            state.modules.clear()
            state.modules.update(modules)


def _settings(state: modes.State) -> dict[str, Any]:
    """Return what a program may set for the session; the generator is the journal's."""
    names = ("grad_enabled", "inference", "default_dtype", "print_options")
    return {name: getattr(state, name) for name in names}
