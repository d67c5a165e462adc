"""What the engine refuses, and how.

    EngineError                    anything the engine refuses; never raised itself
      OpError                      also RuntimeError: an op or the tape cannot do what was asked
        LinAlgError                a factorisation that does not exist (singular, not positive definite)
        GradcheckError             gradients that are not those of the function
        CheckpointError            a function that does something else when it runs again for its gradient
      ArgumentTypeError            also TypeError: an argument of the wrong kind, number or name
        UnexpectedArgumentError    an argument by a name that the op does not know
      AssertedError                also AssertionError: what PyTorch asserts of arguments
        NotATensorError            something else than a tensor
      ArgumentValueError           also ValueError: an argument of the right kind with an impossible value
      MissingKeyError              also KeyError: a dict without an entry that is needed
      DivisionError                also ZeroDivisionError: a number that nothing can be divided by
      TooLargeError                also OverflowError: a number that has no integer
      DimensionError               also IndexError: a dimension or an index out of range
      MissingAttributeError        also AttributeError: no such attribute, or one that cannot be set
      UnsupportedError             also NotImplementedError: an op that does not exist for this dtype
      BudgetError                  also MemoryError: over a limit, found before the work

Each is a builtin too, so ``except RuntimeError`` catches what PyTorch would raise, and ``str(error)`` is
PyTorch's own message where PyTorch refuses the same thing.
"""

from __future__ import annotations

from typing import Any, Final


class EngineError(Exception):
    """Base of all that the engine refuses.

    ``exception`` is the class name PyTorch raises, ``op`` what the program called, where that is known.
    """

    exception = "RuntimeError"
    op: str | None = None


class OpError(EngineError, RuntimeError):
    """An op, the tape or an in-place write cannot do what was asked."""


class LinAlgError(OpError):
    """A factorisation that does not exist for the given matrix."""

    exception = "_LinAlgError"


LinAlgError.__name__ = LinAlgError.exception  # as PyTorch's is called


class GradcheckError(OpError):
    """Analytical gradients that differ from numerical ones."""

    exception = "GradcheckError"

    def __init__(self, *args: object) -> None:
        super().__init__(*args)


class CheckpointError(OpError):
    """What a recomputation saves is not what was saved before."""

    exception = "CheckpointError"

    def __init__(self, *args: object) -> None:
        super().__init__(*args)


class ArgumentTypeError(EngineError, TypeError):
    """An argument of the wrong kind, too many or too few of them, or an unknown name."""

    exception = "TypeError"


class AssertedError(EngineError, AssertionError):
    """Arguments of which PyTorch asserts something else."""

    exception = "AssertionError"


class ModuleError(EngineError, ModuleNotFoundError):
    """The name of something in a module that there is not."""

    exception = "ModuleNotFoundError"


class NotATensorError(AssertedError):
    """Something else than a tensor where PyTorch asserts one."""


class UnexpectedArgumentError(ArgumentTypeError):
    """``function`` takes no argument of the name ``argument``."""

    def __init__(self, function: str, argument: str) -> None:
        super().__init__(f"{function}() got an unexpected keyword argument '{argument}'")
        self.argument = argument


class ArgumentValueError(EngineError, ValueError):
    """An argument of the right kind with a value that makes no sense."""

    exception = "ValueError"


class MissingKeyError(EngineError, KeyError):
    """A dict without an entry that is needed."""

    exception = "KeyError"


class DivisionError(EngineError, ZeroDivisionError):
    """A number that nothing can be divided by."""

    exception = "ZeroDivisionError"


class TooLargeError(EngineError, OverflowError):
    """A number that no integer is near."""

    exception = "OverflowError"


def is_of_a_number(error: Exception) -> bool:
    """Whether Python found a number too large, or NaN, for what was to be done: no code of ours decides which come."""
    return isinstance(error, OverflowError) or (isinstance(error, ValueError) and str(error) == _NO_INTEGER)


_NO_INTEGER: Final = "cannot convert float NaN to integer"


class DimensionError(EngineError, IndexError):
    """A dimension or an index out of range."""

    exception = "IndexError"


class MissingAttributeError(EngineError, AttributeError):
    """No such attribute, or one that cannot be set."""

    exception = "AttributeError"


class UnsupportedError(EngineError, NotImplementedError):
    """An op that does not exist for this dtype or combination of arguments.

    ``dtype`` is the one that operands promote to, where it is that.
    """

    exception = "NotImplementedError"
    dtype: Any = None


class Ended(Exception):
    """Ends a program for good: nothing of it runs any more, no hook either, and none of it may catch this."""


class BudgetError(EngineError, MemoryError, Ended):
    """Over a limit of the current budget.

    ``limit`` names it, ``allowed`` and ``asked`` are in its unit (elements, bytes, steps or seconds). ``place`` is
    where in a program that was, once somebody knows.
    """

    exception = "MemoryError"
    place: object = None

    def __init__(self, limit: str, allowed: float, asked: float, op: str | None = None) -> None:
        super().__init__(f"{limit}: {_plain(asked)} asked for, {_plain(allowed)} allowed")
        self.op = op
        self.limit, self.allowed, self.asked = limit, allowed, asked


def _plain(number: float) -> str:
    """``number`` without an exponent: limits are read by people."""
    return str(number) if isinstance(number, int) else f"{number:.3f}".rstrip("0").rstrip(".")
