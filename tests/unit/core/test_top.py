"""scontrol top: a user's own order of his waiting jobs, at nobody else's expense."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from slurm.core import hold, top
from slurm.core.cluster import Cluster
from slurm.model.errors import InvalidRequest, NotFound, NotNow, NotPermitted, SlurmError
from slurm.sched.priority import Scale
from slurm.testing import builders as b


def moved(c: Cluster, *ids: str, by_users: bool = True) -> list[int]:
    """The waiting jobs in the order of their priorities afterwards."""
    for event in top.move(c, ids, b.ALICE, b.T0, priority=Scale(c, b.T0).value, by_users=by_users):
        c.apply(event)
    scale = Scale(c, b.T0)
    return [job.id for job in sorted(c.pending.values(), key=scale.key)]


def four() -> Cluster:
    c = b.cluster()
    for _ in range(4):
        b.submit(c)
    return c


@pytest.mark.parametrize("kind", ["basic", "multifactor"])
@pytest.mark.parametrize(("named", "order"), [(["3"], [3, 1, 2, 4]), (["4,3"], [4, 3, 1, 2]), (["3", "1"], [3, 1, 2, 4]), (["1"], [1, 2, 3, 4])])
def test_the_named_jobs_come_first_in_their_order(kind: str, named: list[str], order: list[int]) -> None:
    c = four()
    c.settings.priority_type = kind
    assert moved(c, *named) == order


def test_the_jobs_together_weigh_no_more_than_before_and_those_of_others_stay_as_they_were() -> None:
    c = four()
    c.settings.priority_type = "basic"
    other = b.submit(c, by=b.BOB)
    before = sum(Scale(c, b.T0).value(job) for job in c.pending.values())
    assert moved(c, "4") == [4, 1, 2, 3, 5]
    assert sum(Scale(c, b.T0).value(job) for job in c.pending.values()) <= before
    assert other.request.nice == 0


def held(c: Cluster) -> None:
    for event in hold.hold(c, ["2"], b.ALICE, b.T0):
        c.apply(event)


def of_an_operator(c: Cluster) -> None:
    c.jobs[b.JobId(2)].request.priority = 7


@pytest.mark.parametrize(("prepare", "named", "refusal", "words"), [
    (held, "2", NotNow, "held"), (of_an_operator, "2", InvalidRequest, "priority 7"), (lambda c: b.start(c, b.JobId(2), "cn01"), "2", NotNow, "RUNNING"),
    (lambda c: None, "99", NotFound, "no job 99")], ids=["held", "priority set", "running", "unknown"])
def test_what_cannot_be_moved_is_refused_with_the_reason(prepare: Callable[[Cluster], object], named: str, refusal: type[SlurmError], words: str) -> None:
    c = four()
    prepare(c)
    with pytest.raises(refusal) as told:
        moved(c, named)
    assert words in " ".join(told.value.lines())


def test_a_user_may_only_where_the_site_lets_users() -> None:
    with pytest.raises(NotPermitted, match="presently disabled"):
        moved(four(), "3", by_users=False)


def test_nobody_moves_the_jobs_of_others() -> None:
    c = b.cluster()
    b.submit(c, by=b.BOB)
    with pytest.raises(NotPermitted):
        moved(c, "1")
