"""What slurm explain --priority says of each factor."""

from __future__ import annotations

import msgspec

from slurm.sched.priority import Scale
from slurm.sched.priority_words import told
from slurm.testing import builders as b
from tests.unit.core.test_policy import book, cluster

WEIGHTS = {"priority_weight_age": 1000, "priority_weight_fair_share": 10000, "priority_weight_job_size": 500, "priority_weight_partition": 2000,
           "priority_weight_qos": 100, "priority_weight_tres": {"cpu": 100.0}}


def test_each_factor_is_told_with_its_worth_and_where_it_comes_from() -> None:
    c = cluster(book(), **WEIGHTS)
    b.start(c, b.submit(c, by=b.BOB))
    job = b.submit(c, nice=7)
    words = dict(told(Scale(c, b.T0 + 3600), job))
    scale = Scale(c, b.T0 + 3600)
    assert words["priority"].startswith(f"{scale.value(job)} = ") and words["priority"].endswith(" - 7 nice")
    assert "user alice used 0 % of what account research used and has a right to 50 % of its share" in words["fair share"]
    assert "account research used 100 % of what the cluster used and has a right to 100 %" in words["fair share"]
    assert "it has aged for 1:00:00, at most 7-00:00:00 count" in words["age"]
    assert set(words) == {"priority", "age", "fair share", "job size", "partition", "QOS", "cpu"}


def test_without_factors_the_reason_is_told() -> None:
    c = cluster(book(), **WEIGHTS)
    assert told(Scale(c, b.T0), b.submit(c, hold=True)) == [("priority", "0: it is held")]
    fixed = b.submit(c)
    fixed.request = msgspec.structs.replace(fixed.request, priority=77)
    assert "an operator set it" in told(Scale(c, b.T0), fixed)[0][1]


def test_the_number_by_which_the_queue_is_ordered_is_the_sum_that_is_shown() -> None:
    few = {name: 0.3 for name in ("priority_weight_age", "priority_weight_fair_share", "priority_weight_partition", "priority_weight_qos")}
    for weights in (WEIGHTS, few, {**few, "priority_weight_association": 7.7}, {}):
        c = cluster(book(), **weights)
        jobs = [b.submit(c, by=by, nice=nice) for by in (b.ALICE, b.BOB) for nice in (0, 3, -5)]
        b.start(c, b.submit(c, by=b.BOB))
        scale = Scale(c, b.T0 + 7777)
        assert [scale.value(job) for job in jobs] == [scale.weighted(job).total for job in jobs]
