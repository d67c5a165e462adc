"""Whole programs in the way of tutorials and books, and how two runs of one are compared."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "app" / "program" / "tutorials"
NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?")
ADDRESS = re.compile(r"0x[0-9a-f]+")
LONG = 9  # digits after the point, from which on a number is a Python float of a float32


def programs() -> dict[str, str]:
    """Every program by name."""
    return {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.txt"))}


def differences(expected: str, found: str) -> list[tuple[str, str]]:
    """Lines that differ by more than the last printed digit of a number, or a few of a long one."""
    pairs = zip([*expected.splitlines(), "<end>"], [*found.splitlines(), "<end>"], strict=False)
    return [pair for pair in pairs if not _alike(*pair)]


def _alike(*texts: str) -> bool:
    expected, found = (re.sub(r" +", " ", ADDRESS.sub("0x", text)).strip() for text in texts)
    if NUMBER.sub("#", expected) != NUMBER.sub("#", found):
        return False
    pairs = zip(NUMBER.findall(expected), NUMBER.findall(found), strict=True)
    return all(one == other or abs(float(one) - float(other)) <= 1.01 * _unit(one) for one, other in pairs)


def _unit(number: str) -> float:
    mantissa, _, exponent = number.partition("e")
    digits = len(mantissa.partition(".")[2])
    if digits >= LONG:
        return float(max(1e-6, 1e-5 * abs(float(number))))
    return float(10.0 ** (int(exponent or 0) - digits)) if digits else 0.0
