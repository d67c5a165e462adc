"""What becomes of a body that holds a tensor, read in either way: for tests, and for ``scripts/fuzz_numbers.py``."""

from typing import Any

import numpy as np

from app.core.limits import Limits
from app.wire import codec
from app.wire.arrays import ArrayError, ArrayTooLarge, decode_tensor
from app.wire.numbers import LEAST_BYTES, Numbers

PADDING = b" " * LEAST_BYTES  # after a bracket, it makes a list long enough to be cut out
Outcome = tuple[Any, ...]


def padded(text: bytes) -> bytes:
    """``text`` with its first list made long."""
    brackets = len(text) - len(text.lstrip(b"["))
    return text[:brackets] + PADDING + text[brackets:] if brackets else text


def outcome(value: Any, limits: Limits) -> Outcome:
    """The tensor that ``value`` is, bit for bit, or the refusal with its text and place."""
    try:
        tensor = decode_tensor(value, limits, ("x",))
    except ArrayTooLarge as error:
        return "too large", error.limit, error.allowed, error.asked, error.place
    except ArrayError as error:
        return "refused", str(error), error.place
    array = np.ascontiguousarray(tensor.array)
    assert array.flags.writeable
    return tensor.dtype.name, tensor.array.shape, array.tobytes(), tensor.requires_grad


def both(body: bytes, limits: Limits) -> tuple[Outcome, Outcome]:
    """The outcomes of the usual way and of the one that cuts lists of numbers out."""
    results = []
    for decode in (codec.decode, codec.decode_request):
        try:
            value = decode(body, codec.Format.JSON, limits)
        except codec.BodyTooLarge as error:
            results.append(("body too large", error.limit))
        except codec.CodecError as error:
            results.append(("malformed", str(error)))
        else:
            results.append(outcome(value, limits))
    return results[0], results[1]


def is_cut(body: bytes) -> bool:
    """Whether ``body`` is read without lists."""
    value = codec.decode_request(body, codec.Format.JSON, Limits())
    return isinstance(value["data"] if isinstance(value, dict) else value, Numbers)
