"""The examples in PyTorch's docstrings, run by PyTorch and by this service: what both print is compared.

``make parity-docs``. The texts are read from the installed PyTorch when this runs. All examples of one docstring are
one program: the usual imports and a seed before them, bare expressions printed. PyTorch runs each in a process of its
own, for many change what is global. A program that PyTorch itself does not run to its end (names that are explained
elsewhere, devices) shows nothing and is left out; so is what no dense tensor on the CPU has to do with. The rest is
counted by what came of it; the exit status is 1 if less than ``--at-least`` of it prints the same.
"""

# ruff: noqa: T201 - printing is what a command does

from __future__ import annotations

import argparse
import ast
import contextlib
import doctest
import importlib
import io
import json
import os
import re
import signal
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch

from app.errors import ServiceError
from app.evaluate.run import evaluate
from app.limits import Limits, OverLimit
from app.program.tree import GraphError, ProgramError
from app.wire.messages import RunRequest
from engine import errors

MODULES: Final = (
    "torch", "torch.Tensor", "torch.autograd", "torch.autograd.forward_ad", "torch.autograd.function",
    "torch.autograd.functional", "torch.autograd.graph", "torch.fft", "torch.linalg", "torch.special", "torch.signal",
    "torch.signal.windows", "torch.masked", "torch.nn", "torch.nn.functional", "torch.nn.init", "torch.nn.utils",
    "torch.nn.utils.rnn", "torch.nn.utils.parametrize", "torch.nn.utils.parametrizations", "torch.nn.attention",
    "torch.optim", "torch.optim.lr_scheduler", "torch.optim.swa_utils", "torch.random", "torch.utils.data",
    "torch.utils.checkpoint", "torch.nn.Module", "torch.optim.Optimizer", "torch.autograd.Function",
    "torch.autograd.graph.Node",
)  # fmt: skip
ELSEWHERE: Final = re.compile(
    r"cuda|mps|xpu|sparse|quantiz|\.func\b|vmap|forward_ad|fwAD|compile|jit|fx\b|distributed|multiprocessing|onnx"
    r"|nested|named|names=|refine_names|rename|torchvision|__torch_function__|overrides|library|export|storage\("
    r"|UntypedStorage|from_file|save\(|load\(|share_memory|DataParallel|torch\.profiler|hub\.|os\."
)
"""What is no dense tensor on the CPU, or not of this service: devices, sparse and named tensors, compilers, files."""
UNINITIALISED: Final = re.compile(r"\bempty(_like|_strided|_permuted)?\(|new_empty|data_ptr|id\(|resize_\(|default_rng")
PREFIX: Final = (
    "import math\nimport torch\nimport torch.nn as nn\nimport torch.nn.functional as F\nfrom torch import optim\n"
    "torch.manual_seed(0)\n"
)
SECONDS: Final = 20
NUMBER: Final = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?")
ADDRESS: Final = re.compile(r"0x[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class Example:
    """The examples of one docstring as a program."""

    name: str
    code: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run printed, and what ended it: the name of an exception and its text, or nothing."""

    prints: str
    error: tuple[str, str] | None = None


def examples() -> Iterator[Example]:
    """All docstrings with examples that Python can read, each text once."""
    seen: set[str] = set()
    for path in MODULES:
        owner = _owner(path)
        for name in sorted(dir(owner)):
            doc = getattr(getattr(owner, name, None), "__doc__", None)
            if name.startswith("_") or not isinstance(doc, str) or ">>>" not in doc or doc in seen:
                continue
            seen.add(doc)
            code = _program(doc)
            if code is not None:
                yield Example(f"{path}.{name}", code)


def _owner(path: str) -> Any:
    try:
        return importlib.import_module(path)
    except ImportError:
        module, _, name = path.rpartition(".")
        return getattr(_owner(module), name)


def _program(doc: str) -> str | None:
    parts = []
    try:
        for example in doctest.DocTestParser().get_examples(doc):
            body = ast.parse(example.source).body
            is_shown = len(body) == 1 and isinstance(body[0], ast.Expr) and not _prints(body[0].value)
            parts.append(f"print({ast.unparse(body[0])})" if is_shown else example.source.rstrip("\n"))
    except (SyntaxError, ValueError):  # dots, or prompts in the middle of a line
        return None
    code = "\n".join(parts)
    with contextlib.suppress(SyntaxError):
        ast.parse(code)
        return PREFIX + code + "\n"
    return None


def _prints(expression: ast.expr) -> bool:
    return (
        isinstance(expression, ast.Call) and isinstance(expression.func, ast.Name) and expression.func.id == "print"
    ) or isinstance(expression, (ast.Yield, ast.Await))


def by_pytorch(code: str) -> Outcome | None:
    """What PyTorch makes of a program, in a process of its own; ``None`` if that does not end in time."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        signal.alarm(SECONDS)
        os.close(reading)
        with os.fdopen(writing, "w") as out:
            json.dump(_run_here(code), out)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as source:
        text = source.read()
    os.waitpid(pid, 0)
    if not text:
        return None
    prints, error = json.loads(text)
    return Outcome(prints, tuple(error) if error else None)


def _run_here(code: str) -> tuple[str, tuple[str, str] | None]:
    torch.set_num_threads(1)
    out, error = io.StringIO(), None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(compile(code, "<example>", "exec"), {"__name__": "__main__"})
        except BaseException as raised:
            error = type(raised).__name__, str(raised)
    return out.getvalue(), error


def by_service(code: str) -> Outcome:
    """What this service makes of it."""
    limits = Limits(seconds=SECONDS)
    try:
        answer = evaluate(RunRequest(code=code, outputs=[]), limits, "json")
    except ProgramError as error:
        return Outcome(_joined(error.prints), (error.exception, error.detail))
    except (GraphError, OverLimit, ServiceError, errors.BudgetError) as error:
        return Outcome("", ("refused", str(error)))
    except Exception as error:
        return Outcome("", ("fault", f"{type(error).__name__}: {error}"))
    return Outcome(_joined(answer["prints"]))


def _joined(prints: Sequence[str]) -> str:
    return "".join(f"{text}\n" for text in prints)


def alike(expected: str, found: str) -> bool:
    """Whether two texts are the same, but for addresses and one unit of the last digit of a number."""
    expected, found = (re.sub(r"\s+", " ", ADDRESS.sub("0xADDR", text)).strip() for text in (expected, found))
    if expected == found:
        return True
    if NUMBER.sub("#", expected) != NUMBER.sub("#", found):
        return False
    pairs = zip(NUMBER.findall(expected), NUMBER.findall(found), strict=True)
    return all(one == other or abs(float(one) - float(other)) <= 1.01 * _unit(one) for one, other in pairs)


def _unit(number: str) -> float:
    mantissa, _, exponent = number.partition("e")
    digits = len(mantissa.partition(".")[2])
    if digits > 9:  # a Python float: as good as the arithmetic of float32
        return float(max(1e-6, 1e-5 * abs(float(number))))
    return float(10.0 ** (int(exponent or 0) - digits)) if digits else 0.0


def verdict(example: Example) -> tuple[str, str]:
    """What came of an example, in a word, and what there is to say of it."""
    if ELSEWHERE.search(example.code):
        return "elsewhere", ""
    expected = by_pytorch(example.code)
    if expected is None or expected.error is not None:
        return "not run by PyTorch", "" if expected is None or expected.error is None else ": ".join(expected.error)
    found = by_service(example.code)
    if found.error is not None:
        kind = {"refused": "refused", "fault": "fault"}.get(found.error[0], "error")
        return kind, found.error[1] if kind != "error" else ": ".join(found.error)
    if alike(expected.prints, found.prints):
        return "same", ""
    return ("uninitialised" if UNINITIALISED.search(example.code) else "other text"), _first(expected, found)


def _first(expected: Outcome, found: Outcome) -> str:
    lines = zip([*expected.prints.splitlines(), ""], [*found.prints.splitlines(), ""], strict=False)
    return next((f"{one!r}, here {other!r}" for one, other in lines if not alike(one, other)), "more or fewer lines")


LEFT_OUT: Final = frozenset({"elsewhere", "not run by PyTorch", "uninitialised"})


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="names that have this in them")
    parser.add_argument("--at-least", type=float, default=90.0, help="per cent that have to print the same")
    parser.add_argument("--show", action="store_true", help="print the programs that differ, too")
    arguments = parser.parse_args(argv)
    found: defaultdict[str, list[tuple[Example, str]]] = defaultdict(list)
    for example in examples():
        if arguments.only in example.name:
            word, detail = verdict(example)
            found[word].append((example, detail))
    for word in sorted(found.keys() - {"same"} - LEFT_OUT):
        for example, detail in found[word]:
            print(f"{word:11} {example.name}: {detail[:200]}")
            if arguments.show:
                print("    " + example.code.removeprefix(PREFIX).replace("\n", "\n    "))
    counts = Counter({word: len(cases) for word, cases in found.items()})
    counted = sum(count for word, count in counts.items() if word not in LEFT_OUT)
    share = 100 * counts["same"] / max(counted, 1)
    print(", ".join(f"{word} {count}" for word, count in counts.most_common()))
    print(f"{counts['same']} of {counted} examples print the same: {share:.1f} %")
    return int(share < arguments.at_least)


if __name__ == "__main__":
    sys.exit(main())
