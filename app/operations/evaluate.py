"""Stateless evaluation."""

from __future__ import annotations

from app.operations.operation import Exchange, operation
from app.wire.reply import Refusal, Reply


@operation
def evaluate(exchange: Exchange) -> Reply:
    """Run nodes or code in a fresh namespace."""
    request = exchange.request

    def refuse(error: Exception) -> Refusal:
        return exchange.tools.refuse(error, exchange.request_id)

    evaluator = exchange.tools.evaluator
    reply, exchange.plan = evaluator.answer(request.call(exchange.body), request.came_before, refuse)
    return reply
