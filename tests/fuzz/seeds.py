"""Seeds: some that stay, so that what was found once is found again, and one a day, so that something new is tried. Failures print theirs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

import hypothesis
from hypothesis import HealthCheck, Phase

TODAY = int(os.environ.get("FUZZ_SEED") or time.strftime("%Y%m%d"))
SCALE = float(os.environ.get("FUZZ_SCALE", "1"))
"""How much longer than in CI: `make fuzz` sets it. FUZZ_SHRINK=1 has failures made small, which takes minutes."""
Test = TypeVar("Test", bound=Callable[..., Any])


def fuzzed(examples: int) -> Callable[[Test], Test]:
    """A test of so many random examples in CI: run once with a fixed seed and once, named apart, with today's (tests/fuzz/conftest.py)."""
    def decorate(test: Test) -> Test:
        ruled = hypothesis.settings(
            max_examples=max(1, int(examples * SCALE)), deadline=None, database=None, print_blob=True, derandomize=False,
            phases=(Phase.generate, Phase.shrink) if os.environ.get("FUZZ_SHRINK") else (Phase.generate,), suppress_health_check=list(HealthCheck))(test)
        ruled.fuzzed = True  # type: ignore[attr-defined]
        return ruled

    return decorate
