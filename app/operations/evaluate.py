"""Stateless evaluation."""

from __future__ import annotations

from app.operations.exchange import Exchange, operation
from app.wire.reply import Reply


@operation
def evaluate(exchange: Exchange) -> Reply:
    """Run nodes or code in a fresh namespace."""
    request = exchange.request
    reply, exchange.plan = exchange.tools.evaluator.answer(request.call(exchange.body), request.came_before)
    return reply
