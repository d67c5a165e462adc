"""Reads the patterns of ``match``."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from app.program.tree import (
    CapturePattern,
    ClassPattern,
    Constant,
    MappingPattern,
    OrPattern,
    Pattern,
    SequencePattern,
    ValuePattern,
)

if TYPE_CHECKING:
    from app.program.code_expressions import ExpressionReader


def read_pattern(reader: ExpressionReader, node: ast.pattern, depth: int) -> Pattern:
    """Translate one pattern; the names that it binds are the scope's."""
    reader.check_depth(node, depth)

    def read(one: ast.pattern) -> Pattern:
        return read_pattern(reader, one, depth + 1)

    match node:
        case ast.MatchValue(value):
            return ValuePattern(reader.expression(value, depth + 1))
        case ast.MatchSingleton(value):
            return ValuePattern(Constant(value), identical=True)
        case ast.MatchAs(pattern, name):
            inner = None if pattern is None else read(pattern)
            return CapturePattern(inner, None if name is None else reader.bind(node, name))
        case ast.MatchSequence(patterns):
            star = next((place for place, one in enumerate(patterns) if isinstance(one, ast.MatchStar)), None)
            return SequencePattern(tuple([read(one) for one in patterns]), star)
        case ast.MatchStar(name):
            return CapturePattern(None, None if name is None else reader.bind(node, name))
        case ast.MatchMapping(keys, patterns, rest):
            values = tuple([reader.expression(key, depth + 1) for key in keys])
            bound = None if rest is None else reader.bind(node, rest)
            return MappingPattern(values, tuple([read(one) for one in patterns]), bound)
        case ast.MatchClass(kind, patterns, names, named):
            given = tuple([reader.member(node, name) for name in names])
            return ClassPattern(
                reader.expression(kind, depth + 1), tuple([read(one) for one in patterns]), given,
                tuple([read(one) for one in named]),
            )  # fmt: skip
        case ast.MatchOr(patterns):
            return OrPattern(tuple([read(one) for one in patterns]))
    raise AssertionError(type(node))
