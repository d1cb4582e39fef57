"""A short campaign of faults, with another seed each day; `make campaign` makes a long one and writes docs/reliability.md."""

from __future__ import annotations

import time

import pytest

from tests.campaign import campaign
from tests.system.machines import why_not

SECONDS = 75.0


@pytest.mark.alone
@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_whatever_fails_no_acknowledged_job_is_lost_none_runs_twice_and_nothing_is_left() -> None:
    seed = int(time.time()) // 86400
    outcome = campaign.run(SECONDS, seed)
    again = f"python -m tests.campaign --seconds {SECONDS:.0f} --seed {seed}"
    assert outcome.holds, f"{again}\n{ {name: sentences for name, sentences in outcome.broken.items() if sentences} }\n{outcome.logs[-20000:]}"
    assert outcome.acknowledged > 20 and sum(outcome.faults.values()) > 10, again
