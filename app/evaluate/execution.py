"""One run of a request over a namespace: bind the inputs, run the program, sweep, and say what came out.

Shared by the stateless evaluation and by sessions; it works under the engine state in force and changes the namespace
it is given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Final, cast

from app.errors import CallError, InvalidRequest
from app.evaluate.cancellation import cancellable
from app.evaluate.nonfinite import watching
from app.evaluate.plan_cache import PlanCache
from app.limits import Allowance, Limits, OverLimit, Place
from app.program import graphs, interpret
from app.program.from_code import parse_code
from app.program.from_nodes import parse_nodes
from app.program.tree import GraphError, Program, ProgramError, is_name
from app.program.values import encode_value, is_encodable, lookup
from app.wire import codec, envelope, plain
from app.wire.arrays import ADD_DTYPE, Encoding, decode_tensor, encode_tensor
from app.wire.messages import Root, RunRequest
from engine import Tensor, dtypes, errors, modes, parameters
from engine import sweep as tape_sweep

Namespace = dict[str, Any]
Asked = RunRequest | plain.Request  # what a run is asked for
_NOTHING: Final = Program((), "nodes", (), ())
PART_OF_ONE: Final = 8  # of what is kept of programs, that one may take: long ones are read each time
PROGRAM_BYTES: Final = 130  # that a program takes for each byte of its text, when it is mostly operators and calls


def budget_of(limits: Limits) -> modes.Budget:
    """Return what one request may use, its time counted from now."""
    return cancellable(Allowance(limits))


@dataclass(frozen=True, slots=True)
class Run:
    """A request whose program has been read: what every attempt begins with."""

    request: RunRequest
    program: Program
    parse_s: float
    parts: tuple[Run, ...] = ()  # the runs, where it is several
    key: Hashable = None  # what all requests share that differ in inputs alone, if it has one

    def with_inputs(self, inputs: dict[str, Any]) -> Run:
        """Return the run with other inputs."""
        return replace(self, request=self.request.model_copy(update={"inputs": inputs}))


def prepare(request: RunRequest, limits: Limits) -> Run:
    """Read the program of ``request`` and check its names. Raises what is wrong with it before anything runs."""
    started = perf_counter()
    if request.runs is not None:
        return Run(request, _NOTHING, 0.0, _several(request, limits))
    return Run(request, program_of(request, limits), perf_counter() - started)


def program_of(request: Asked, limits: Limits) -> Program:
    """Read the program of a request, whichever spelling it has, and check the names of inputs."""
    program = _parse(request, limits)
    for name in request.inputs:
        if not is_name(name):
            check_name(name, ("inputs", name))
    return program


def program_ahead(request: Asked, limits: Limits) -> Program | None:
    """Read the program of a request, unless its nodes may be carried out as they are: nothing is wrong before them."""
    if type(request) is not plain.Request or request.include:
        return program_of(request, limits)
    for name, value in request.inputs.items():
        if not (isinstance(value, Tensor) and is_name(name)):
            return program_of(request, limits)
    return None


def _several(request: RunRequest, limits: Limits) -> tuple[Run, ...]:
    """Read each of several runs."""
    runs = request.runs or []
    if request.model_fields_set != {"runs"}:
        raise InvalidRequest("'runs' stands alone", [(("runs",), "each run has a program and options of its own")])
    check_count(len(runs), limits, ("runs",))
    parts = []
    for number, one in enumerate(runs):
        if one.runs is not None:
            raise InvalidRequest("runs do not nest", [(("runs", number, "runs"), "not here")])
        with numbered(number):
            refuse_batch(one)
            parts.append(prepare(one, limits))
    return tuple(parts)


def check_count(count: int, limits: Limits, place: Place) -> None:
    """Refuse more entries, or runs, than one request may have."""
    if count > limits.batch_size:
        raise OverLimit("batch_size", allowed=limits.batch_size, asked=count, place=place)


def refuse_batch(request: RunRequest) -> None:
    """Refuse a batch: entries are independent, which runs in a session are not."""
    if request.batch is not None:
        raise InvalidRequest("a session takes no batch: give 'runs'", [(("batch",), "of stateless runs only")])


@contextmanager
def numbered(number: int) -> Iterator[None]:
    """Let whatever is raised within it know which of several runs it was."""
    try:
        yield
    except Exception as error:
        error.run_index = number  # type: ignore[attr-defined]
        raise


class Programs:
    """Programs that came before, read: requests with one of them are not read again but for their tensors."""

    def __init__(self, limits: Limits, count: int = 256, nbytes: int = 2**24) -> None:
        self._limits = limits
        room = count, nbytes, nbytes // PART_OF_ONE
        self._known: PlanCache[_Known] = PlanCache(*room)
        self._same: PlanCache[_Known] = PlanCache(*room)  # by whole bodies, those that bring no tensors

    def prepare(self, body: codec.Body, form: codec.Format, read: Callable[[], RunRequest]) -> Run:
        """Return the run that a body asks for; ``read`` reads it the usual way. Raises as ``prepare``."""
        started = perf_counter()
        same = self._same.get((form, body)) if type(body) is bytes else None
        if same is not None:
            return same.run
        shell = envelope.shell(body, form, self._limits) if body else None
        if shell is None:
            return prepare(read(), self._limits)
        key = None if shell.gradients else shell.key
        known = self._known.get(shell.key)
        if known is None:
            run = replace(prepare(read(), self._limits), key=key)
            self._known.put(shell.key, _Known(_without_tensors(run), PROGRAM_BYTES * len(body)))
            return run
        gradients = iter(shell.gradients)
        roots = [
            root if root.gradient is None else root.model_copy(update={"gradient": next(gradients)})
            for root in known.run.request.backward
        ]
        request = known.run.request.model_copy(update={"inputs": shell.inputs, "backward": roots})
        run = Run(request, known.run.program, perf_counter() - started, key=key)
        if key is not None and not shell.inputs and type(body) is bytes:
            self._same.put((form, body), _Known(run, PROGRAM_BYTES * len(body)))
        return run


def _without_tensors(run: Run) -> Run:
    """Return what is kept of a run: where a root has a cotangent stands a number."""
    request = run.request
    roots = [root if root.gradient is None else root.model_copy(update={"gradient": 0}) for root in request.backward]
    return replace(run, request=request.model_copy(update={"inputs": {}, "backward": roots}))


@dataclass(frozen=True, slots=True)
class _Known:
    run: Run
    nbytes: int


def _parse(request: Asked, limits: Limits) -> Program:
    if request.code is not None and request.nodes is None:
        return parse_code(request.code, limits)
    if request.nodes is not None and request.code is None:
        return parse_nodes(request.nodes, limits)
    raise InvalidRequest("give either 'nodes' or 'code'", [(("nodes",), "expected exactly one of nodes and code")])


def execute(run: Run, namespace: Namespace, limits: Limits, encoding: Encoding) -> dict[str, Any]:
    """Carry out ``run`` over ``namespace``; the answer, whose data may still look into the tensors."""
    return carry_out(run.request, run.program, namespace, limits, encoding, run.parse_s)


def carry_out(
    request: Asked, program: Program | None, namespace: Namespace, limits: Limits, encoding: Encoding, parse_s: float
) -> dict[str, Any]:
    """Carry out a request whose program was read, in ``parse_s`` seconds, or is plain nodes, as ``execute`` does."""
    if not request.include:
        return _carry_out(request, program, namespace, limits, encoding, _no_lap)[0]
    clock = _Clock(parse_s)
    if "nan" in request.include:
        with watching(namespace) as (watched, watch):
            answer, graph = _carry_out(request, program, watched, limits, encoding, clock.lap)
        answer["nan"] = watch.found
    else:
        answer, graph = _carry_out(request, program, namespace, limits, encoding, clock.lap)
    extras = {"graph": graph, "timings": clock.seconds}
    return answer | {name: extras[name] for name in request.include if name in extras}


def _no_lap(part: str) -> None:
    """Nobody asks how long it took."""


def _carry_out(
    request: Asked, program: Program | None, namespace: Namespace, limits: Limits, encoding: Encoding,
    lap: Callable[[str], None],
) -> tuple[dict[str, Any], dict[str, Any] | None]:  # fmt: skip
    """Return the answer, and the graph if it was asked for."""
    inputs = bind_inputs(request.inputs, namespace, limits)
    lap("parse")
    try:
        if program is not None:
            outcome = interpret.run(program, namespace, limits=limits)
        else:
            outcome = interpret.run_plain(cast(plain.Request, request).nodes, namespace, limits=limits)
        lap("run")
        graph = _graph(request, outcome, namespace, limits)  # before the sweep, which frees what nodes save
        if request.backward:
            sweep(request.backward, namespace, limits, request.retain_graph, request.create_graph)
    except (ProgramError, CallError) as error:
        error.hint = error.hint or _hint(str(error), inputs)
        raise
    lap("backward")
    answer = _results(request, _values_to_return(request, outcome, namespace), encoding)
    answer["grads"] = _grads(request.grads, inputs, namespace, encoding)
    answer["prints"], answer["warnings"] = outcome.prints, first_lines(modes.current().warnings or ())
    lap("collect")
    return answer, graph


def first_lines(warnings: Iterable[str]) -> list[str]:
    """What an answer shows of warnings: what follows the first line of one is Python's traceback, or advice."""
    return [text.partition("\n")[0].rstrip() for text in warnings]


_OF_DTYPES: Final = re.compile(r"\b(dtypes?|floating[- ]point|Long|int64)\b")


def _hint(detail: str, inputs: dict[str, Tensor]) -> str | None:
    """Return what to do about a refusal of dtypes, where inputs are integers: many languages write 1.0 as 1."""
    whole = [name for name, leaf in inputs.items() if leaf.dtype is dtypes.int64]
    if not whole or _OF_DTYPES.search(detail) is None:
        return None
    named = ", ".join(whole[:5]) + (", …" if len(whole) > 5 else "")
    return f"inputs that are whole numbers are int64 ({named}): {ADD_DTYPE}"


def _values_to_return(request: Asked, outcome: interpret.Outcome, namespace: Namespace) -> dict[str, Any]:
    """Return the values that were asked for, by name."""
    if request.outputs is not None:
        return {name: value_named(name, namespace, ("outputs", i)) for i, name in enumerate(request.outputs)}
    if request.code is not None:
        return {name: namespace[name] for name in outcome.named if name in namespace}
    return {} if outcome.last is None else {outcome.last: namespace[outcome.last]}


def _graph(request: Asked, outcome: interpret.Outcome, namespace: Namespace, limits: Limits) -> dict[str, Any] | None:
    if "graph" not in request.include:
        return None
    shown = _values_to_return(request, outcome, namespace)
    roots = {name: value for name, value in shown.items() if parameters.is_known(value)}
    return graphs.as_json(graphs.collect(roots, namespace, limits))


def _results(request: Asked, shown: dict[str, Any], encoding: Encoding) -> dict[str, Any]:
    """``outputs`` and ``values``; with code, each output has its grad."""
    encode = record_with_grad if request.code is not None else encode_tensor
    outputs: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for name, value in shown.items():
        if parameters.is_known(value):
            outputs[name] = encode(value, encoding)
        elif request.code is None and _is_multiple(value):
            parts = {f"{name}.{i}": part for i, part in enumerate(value)}
            outputs |= {part: encode(tensor, encoding) for part, tensor in parts.items() if tensor is not None}
        elif is_encodable(value):
            values[name] = encode_value(value, lambda tensor: encode(tensor, encoding))
    return {"outputs": outputs, "values": values}


def _is_multiple(value: object) -> bool:
    """Return whether this is a multi-output result: tensors, and ``None`` for those that do not exist."""
    if not isinstance(value, tuple | list) or not value:
        return False
    return all(part is None or isinstance(part, Tensor) for part in value)


def _grads(
    names: list[str] | None, inputs: dict[str, Tensor], namespace: Namespace, encoding: Encoding
) -> dict[str, Any]:
    if names is None:
        leaves = {name: leaf for name, leaf in inputs.items() if leaf.requires_grad}
    else:
        leaves = {name: tensor_named(name, namespace, ("grads", i)) for i, name in enumerate(names)}
    return {name: encode_grad(leaf, encoding) for name, leaf in leaves.items()}


def bind_inputs(inputs: dict[str, Any], namespace: Namespace, limits: Limits) -> dict[str, Tensor]:
    """Make every input a leaf under its name."""
    leaves = {
        name: raw if isinstance(raw, Tensor) else decode_tensor(raw, limits, ("inputs", name))
        for name, raw in inputs.items()
    }
    budget = modes.current().budget
    if budget is not None:
        budget.spend(sum(modes.TENSOR_BYTES + leaf.array.nbytes for leaf in leaves.values()))
    for name, leaf in leaves.items():
        namespace[name] = leaf
    return leaves


def check_name(name: str, place: Place) -> None:
    """Refuse what cannot name a tensor."""
    if not is_name(name):
        raise InvalidRequest("names are up to 128 letters, digits, '_' or '-'", [(place, "not a name")])


def sweep(
    roots: Iterable[Root | plain.Root],
    namespace: Namespace,
    limits: Limits,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: list[Tensor] | None = None,
) -> None:
    """Carry the cotangents of all roots back together. What the engine refuses is a ``CallError``; limits pass."""
    roots = list(roots)
    if not roots:
        return
    tensors = [tensor_named(root.tensor, namespace, ("backward", i, "tensor")) for i, root in enumerate(roots)]
    gradients = [_gradient(root, limits, ("backward", i, "gradient")) for i, root in enumerate(roots)]
    try:
        tape_sweep.backward(tensors, gradients, retain_graph=retain_graph, create_graph=create_graph, inputs=inputs)
    except MemoryError:
        raise
    except errors.EngineError as error:
        raise CallError(str(error), error.exception, "backward", ("backward",)) from error


def _gradient(root: Root | plain.Root, limits: Limits, place: Place) -> Tensor | None:
    raw = root.gradient
    return raw if raw is None or isinstance(raw, Tensor) else decode_tensor(raw, limits, place)


def find_tensor(name: str, namespace: Namespace) -> Tensor | None:
    """Return the tensor that ``name`` (also ``q.0``, ``x.grad``) stands for, or ``None``."""
    try:
        value = lookup(namespace, name)
    except LookupError:
        return None
    return value if isinstance(value, Tensor) else None


def perform(nodes: list[object], namespace: Namespace, limits: Limits) -> None:
    """Run nodes that are ours, not the client's: an error names none of them."""
    try:
        interpret.run(parse_nodes(nodes, limits), namespace, limits=limits)
    except (GraphError, ProgramError) as error:
        error.node_id = error.node_index = None
        raise


def value_named(name: str, namespace: Namespace, place: Place) -> Any:
    """Return what ``name`` (also ``q.0``, ``x.grad``) stands for. Raises ``InvalidRequest``."""
    try:
        return lookup(namespace, name)
    except LookupError:
        raise InvalidRequest("a name that nothing is bound to", [(place, "no tensor has this name")]) from None


def tensor_named(name: str, namespace: Namespace, place: Place) -> Tensor:
    """Return the tensor of that name. Raises ``InvalidRequest``."""
    value = value_named(name, namespace, place)
    if not parameters.is_known(value):
        raise InvalidRequest("a name that is bound to something else than a tensor", [(place, "not a tensor")])
    return value


def record_with_grad(tensor: Tensor, encoding: Encoding) -> dict[str, Any]:
    """Return the record of a tensor, and in it that of its ``grad``."""
    return {**encode_tensor(tensor, encoding, qualified=True), "grad": encode_grad(tensor, encoding)}


def encode_grad(tensor: Tensor, encoding: Encoding) -> dict[str, Any] | None:
    """Return the record of ``tensor.grad``, or ``None``."""
    return None if tensor._grad is None else encode_tensor(tensor._grad, encoding, qualified=True)


class _Clock:
    """Seconds spent in each part; ``before`` were spent on the first."""

    def __init__(self, before: float) -> None:
        self.seconds: dict[str, float] = {}
        self._last = perf_counter() - before

    def lap(self, part: str) -> None:
        """Note the time since the last lap."""
        now = perf_counter()
        self.seconds[part], self._last = now - self._last, now
