"""Cases of the tests that the service does not pass yet, and why. They are run, and have to fail: see the tests."""

from __future__ import annotations

from typing import Final

EXPECTED_TO_FAIL: Final[dict[str, str]] = {}
