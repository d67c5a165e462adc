"""Cases that the service does not pass yet, by reason: the tests run those of theirs, and they have to fail."""

from __future__ import annotations

from typing import Final

REASONS: Final[dict[str, tuple[str, ...]]] = {}
EXPECTED_TO_FAIL: Final = {name: reason for reason, names in REASONS.items() for name in names}
