"""A line search that ends where the loss fell enough and the slope is small: the strong conditions of Wolfe, 1969."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

ENOUGH = 1e-4  # of what the slope promises has to be gained
SMALL = 0.9  # part of the first slope that is small
TOLERANCE = 1e-9
MARGIN = 0.1  # part of the bracket that a trial stays away from its ends


class Point(NamedTuple):
    """A length tried, with loss, gradient and slope there."""

    length: Any
    loss: Any
    grad: Any
    slope: Any


def search(
    at: Callable[[Any], tuple[float, Any]], length: Any, direction: Any, loss: float, grad: Any, slope: Any, most: int
) -> tuple[float, Any, Any]:
    """Loss, gradient and length of the point found; ``at`` evaluates at a length, up to ``most`` times."""

    def tried(length: Any) -> Point:
        value, gradient = at(length)
        gradient = gradient.clone()
        return Point(length, value, gradient, gradient.dot(direction))

    start = Point(0, loss, grad.clone(), slope)
    bracket, tries, is_found = _bracket(tried, start, tried(length), most)
    low, high = (0, 1) if bracket[0].loss <= bracket[-1].loss else (1, 0)
    is_stuck = False
    extent = direction.abs().max()
    while not is_found and tries < most:
        if abs(bracket[1].length - bracket[0].length) * extent < TOLERANCE:
            break
        trial, is_stuck = _trial(bracket, is_stuck)
        point = tried(trial)
        tries += 1
        if point.loss > loss + ENOUGH * trial * slope or point.loss >= bracket[low].loss:
            bracket[high] = point
            low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
        else:
            if abs(point.slope) <= -SMALL * slope:
                is_found = True
            elif point.slope * (bracket[high].length - bracket[low].length) >= 0:
                bracket[high] = bracket[low]
            bracket[low] = point
    best = bracket[low] if len(bracket) > 1 else bracket[0]
    return best.loss, best.grad, best.length


def _bracket(tried: Callable[[Any], Point], start: Point, point: Point, most: int) -> tuple[list[Point], int, bool]:
    """Two points with the end between them, or one that is the end; and how many more were tried."""
    before, tries = start, 0
    while tries < most:
        has_risen = point.loss > start.loss + ENOUGH * point.length * start.slope
        if has_risen or (tries > 1 and point.loss >= before.loss):
            return [before, point], tries, False
        if abs(point.slope) <= -SMALL * start.slope:
            return [point], tries, True
        if point.slope >= 0:
            return [before, point], tries, False
        low, high = point.length + 0.01 * (point.length - before.length), point.length * 10
        before, point = point, tried(_cubic(before, point, low, high))
        tries += 1
    return [start, point], tries, False


def _trial(bracket: list[Point], is_stuck: bool) -> tuple[Any, bool]:
    """The next length, and whether it came too near to an end of the bracket."""
    first, last = bracket
    lengths = (first.length, last.length)
    trial = _cubic(first, last, min(lengths), max(lengths))
    margin = MARGIN * (max(lengths) - min(lengths))
    if not min(max(lengths) - trial, trial - min(lengths)) < margin:
        return trial, False
    if not (is_stuck or trial >= max(lengths) or trial <= min(lengths)):
        return trial, True
    is_right = abs(trial - max(lengths)) < abs(trial - min(lengths))
    return max(lengths) - margin if is_right else min(lengths) + margin, False


def _cubic(one: Point, other: Point, low: Any, high: Any) -> Any:
    """Where the cubic through two points with their slopes is least (Nocedal and Wright, eq. 3.59), within bounds."""
    d1 = one.slope + other.slope - 3 * (one.loss - other.loss) / (one.length - other.length)
    square = d1**2 - one.slope * other.slope
    if not square >= 0:
        return (low + high) / 2.0
    left, right = (one, other) if one.length <= other.length else (other, one)
    d2 = square.sqrt()
    step = (right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2)
    return min(max(right.length - (right.length - left.length) * step, low), high)
