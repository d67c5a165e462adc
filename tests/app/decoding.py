"""What becomes of a body that holds tensors, read in each way: for tests, and for ``scripts/fuzz_decoders.py``."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from pydantic import ValidationError

from app.limits import Limits, OverLimit
from app.wire import codec, envelope
from app.wire.arrays import ArrayError, decode_tensor
from app.wire.messages import RunRequest
from app.wire.numbers import LEAST_BYTES, Numbers
from engine import dtypes, modes

PADDING = b" " * LEAST_BYTES  # after a bracket, it makes a list long enough to be cut out
Outcome = tuple[Any, ...]
NO_REQUEST: Outcome = ("not a request",)


def padded(text: bytes) -> bytes:
    """``text`` with its first list made long."""
    brackets = len(text) - len(text.lstrip(b"["))
    return text[:brackets] + PADDING + text[brackets:] if brackets else text


def outcome(value: Any, limits: Limits) -> Outcome:
    """The tensor that ``value`` is, bit for bit, or the refusal with its text and place."""
    try:
        tensor = decode_tensor(value, limits, ("x",))
    except OverLimit as error:
        return "too large", error.limit, error.allowed, error.asked, error.place
    except ArrayError as error:
        return "refused", str(error), error.place
    return _outcome_of(tensor.array, tensor.dtype.name, tensor.requires_grad)


def _outcome_of(array: np.ndarray[Any, Any], dtype: str, requires_grad: bool) -> Outcome:
    assert array.flags.writeable
    return dtype, array.shape, array.tobytes(), requires_grad


def both(body: bytes, limits: Limits) -> tuple[Outcome, Outcome]:
    """The outcomes of a tensor in JSON, the usual way and by the reader that cuts lists of numbers out."""
    ways = (codec.decode, codec.decode_request)
    usual, fast = (_read(body, codec.Format.JSON, limits, way, lambda value: iter([value])) for way in ways)
    return usual[0], fast[0]


def every_way(body: bytes, form: codec.Format, limits: Limits) -> list[list[Outcome]]:
    """The outcomes of the tensors of a request: the usual way, by the reader for large ones, and by the one for keys.

    The last one may leave a request to the others; it then has their outcome.
    """
    usual = _read(body, form, limits, codec.decode, tensors_of)
    found = [usual, _read(body, form, limits, codec.decode_request, tensors_of)]
    with modes.use(modes.State()):
        parts = envelope.read(body, form, limits)
    if parts is None or usual == [NO_REQUEST]:  # the key holds what is wrong with it, so it never gets a plan
        return [*found, usual]
    pairs = zip(parts.arrays, parts.flags, strict=True)
    return [*found, [_outcome_of(array, dtypes.of(array).name, flag) for array, flag in pairs]]


def tensors_of(value: Any) -> Iterator[Any]:
    """The tensors of a request, in their order. Raises ``ValidationError`` for what is none."""
    request = RunRequest.model_validate(value)
    yield from request.inputs.values()
    yield from (root.gradient for root in request.backward if root.gradient is not None)


def _read(
    body: bytes, form: codec.Format, limits: Limits, way: Callable[..., Any], tensors: Callable[[Any], Iterator[Any]]
) -> list[Outcome]:
    try:
        value = way(body, form, limits)
    except OverLimit as error:
        return [("body too large", error.limit)]
    except codec.CodecError as error:
        return [("malformed", str(error))]
    try:
        return [outcome(raw, limits) for raw in tensors(value)]
    except ValidationError:
        return [NO_REQUEST]


def is_cut(body: bytes) -> bool:
    """Whether ``body`` is read without lists."""
    value = codec.decode_request(body, codec.Format.JSON, Limits())
    return isinstance(value["data"] if isinstance(value, dict) else value, Numbers)
