"""One line of the log for each request."""

from __future__ import annotations

import logging
from typing import Final

from app.observe import logs
from app.observe.facts import Facts

DIGITS: Final = 6  # of seconds: microseconds
log = logging.getLogger(logs.ACCESS)


def write_line(facts: Facts) -> None:
    """Log a request that is over."""
    fields = {
        "request_id": facts.request_id,
        "trace_id": facts.trace_id,
        "method": facts.method,
        "route": facts.route,
        "status": facts.status,
        "problem": facts.problem or None,
        "limit": facts.limit or None,
        "owner": facts.owner,
        "seconds": round(facts.seconds, DIGITS),
        "queue_seconds": round(facts.queue_seconds, DIGITS),
        "compute_seconds": round(facts.compute_seconds, DIGITS),
        "store_seconds": round(facts.store_seconds, DIGITS),
        "bytes_in": facts.bytes_in,
        "bytes_out": facts.bytes_out,
        "compute_process": facts.compute_process or None,
    }
    log.info("request", extra={"fields": {name: value for name, value in fields.items() if value is not None}})
