"""Where jobs start because of reservations, and why they wait: planned, and checked again when it is applied."""

import pytest

from slurm.core import events as e
from slurm.core import hold, update
from slurm.core.cluster import Cluster
from slurm.core.reserving import making
from slurm.model.job import Job
from slurm.model.states import JobState
from slurm.notation import moment
from slurm.render import job_values
from slurm.sched.plan import plan
from slurm.sched.proposal import Plan
from slurm.testing import builders as b

AWAY = "ReqNodeNotAvail, May be reserved for other job"
DOWN_OR_RESERVED = "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions"


def planned(c: Cluster, at: float = b.T0) -> Plan:
    """A quick pass and a full one, both carried out."""
    for backfill in (False, True):
        made = plan(c, at, backfill=backfill)
        for one in made.proposals:
            event = c.starting(one.job, one.task, one.allocation, at)
            assert event is not None, "what is planned must hold"
            c.apply(event)
    return made


def where(c: Cluster, job: Job) -> list[str]:
    return [str(name) for name in job.allocation.nodes] if job.allocation is not None and job.state is JobState.RUNNING else []


def test_a_job_outside_never_gets_reserved_nodes_and_one_inside_only_these() -> None:
    c = b.cluster(nodes=3, cpus=4)
    b.reserve(c, "r", Nodes="cn02")
    outside = [b.submit(c, ntasks=4, time_limit=600) for _ in range(3)]
    inside = b.submit(c, reservation="r", ntasks=4, time_limit=600)
    verdicts = planned(c).verdicts
    assert [where(c, job) for job in outside] == [["cn01"], ["cn03"], []] and where(c, inside) == ["cn02"]
    assert inside.allocation is not None and (inside.allocation.reservation, inside.allocation.reservation_id) == ("r", 1)
    assert verdicts[outside[2].id].reason == "Resources"


def test_a_job_that_would_run_into_a_reservation_does_not_start_on_its_nodes_a_shorter_one_does() -> None:
    c = b.cluster(nodes=1, cpus=4)
    b.reserve(c, "r", StartTime="now+60minutes", Nodes="cn01")
    long, short = b.submit(c, time_limit=3601), b.submit(c, time_limit=3600)
    verdicts = planned(c).verdicts
    assert (where(c, long), where(c, short)) == ([], ["cn01"])
    assert verdicts[long.id].reason == DOWN_OR_RESERVED and dict(verdicts[long.id].evidence)["cn01"].startswith("is kept for a reservation")


def test_a_job_that_names_a_reserved_node_reads_that_it_may_be_reserved() -> None:
    c = b.cluster(nodes=2)
    b.reserve(c, "r", Nodes="cn01")
    job = b.submit(c, nodelist="cn01", by=b.BOB)
    assert planned(c).verdicts[job.id].reason == AWAY


@pytest.mark.parametrize("repeats", ["HOURLY", "DAILY", "WEEKLY"])
def test_later_occurrences_are_kept_free_too(repeats: str) -> None:
    c = b.cluster(nodes=1)
    made = b.reserve(c, "r", Nodes="cn01", Duration="10", Flags=repeats)
    b.pass_time(c, b.T0 + 600)
    gap = int(made.start - b.T0 - 600)
    assert gap > 0 and not made.begun
    long, short = b.submit(c, time_limit=gap + 1), b.submit(c, time_limit=gap)
    planned(c, b.T0 + 600)
    assert (where(c, long), where(c, short)) == ([], ["cn01"])


def test_a_job_waits_for_its_reservation_to_begin_and_starts_then() -> None:
    c = b.cluster(nodes=2)
    b.reserve(c, "r", StartTime="now+10minutes", Nodes="cn01")
    job = b.submit(c, reservation="r")
    verdict = planned(c).verdicts[job.id]
    assert verdict.reason == "Reservation" and dict(verdict.evidence) == {"r": f"begins at {moment.show(b.T0 + 600)}"}
    assert [type(event) for event in b.pass_time(c, b.T0 + 600)] == [e.ReservationBegun]
    planned(c, b.T0 + 600)
    assert where(c, job) == ["cn01"]


def test_of_several_reservations_the_first_that_can_be_used_is_taken() -> None:
    c = b.cluster(nodes=2)
    b.reserve(c, "later", StartTime="now+10minutes", Nodes="cn01")
    b.reserve(c, "now", Nodes="cn02")
    job = b.submit(c, reservation="later,now")
    planned(c)
    assert where(c, job) == ["cn02"] and job.allocation is not None and job.allocation.reservation == "now"


def test_jobs_of_a_reservation_end_with_it_unless_it_is_flexible() -> None:
    c = b.cluster(nodes=2)
    b.reserve(c, "strict", Nodes="cn01", Duration="10")
    b.reserve(c, "flexible", Nodes="cn02", Duration="10", Flags="FLEX")
    ends, goes_on = b.submit(c, reservation="strict", time_limit=-1), b.submit(c, reservation="flexible", time_limit=7200)
    planned(c)
    happened = b.pass_time(c, b.T0 + 7000)
    assert [event.job for event in happened if isinstance(event, e.TimedOut)] == [ends.id]
    assert ends.state is JobState.TIMEOUT and ends.end_time == b.T0 + 600 and goes_on.state is JobState.RUNNING


def test_with_resv_over_run_jobs_may_go_on_for_so_long() -> None:
    c = b.cluster(nodes=1, reservation_over_run=120)
    b.reserve(c, "r", Nodes="cn01", Duration="10")
    job = b.submit(c, reservation="r", time_limit=-1)
    planned(c)
    b.pass_time(c, b.T0 + 719)
    assert job.state is JobState.RUNNING and "r" not in c.reservations
    b.pass_time(c, b.T0 + 720)
    assert job.state is JobState.TIMEOUT


def test_a_longer_reservation_keeps_its_jobs_longer() -> None:
    c = b.cluster(nodes=1)
    b.reserve(c, "r", Nodes="cn01", Duration="10")
    job = b.submit(c, reservation="r", time_limit=-1)
    planned(c)
    c.apply(making.update(c, "r", {"Duration+": "5"}, b.ROOT, b.People(), b.T0 + 60))
    b.pass_time(c, b.T0 + 899)
    assert job.state is JobState.RUNNING
    b.pass_time(c, b.T0 + 900)
    assert job.state is JobState.TIMEOUT


def test_a_flexible_reservation_lets_its_jobs_begin_before_it_and_elsewhere() -> None:
    c = b.cluster(nodes=2, cpus=4)
    b.reserve(c, "r", StartTime="now+60minutes", Nodes="cn01", Flags="FLEX")
    jobs = [b.submit(c, reservation="r", ntasks=4, time_limit=7200) for _ in range(2)]
    planned(c)
    assert sorted(where(c, job)[0] for job in jobs) == ["cn01", "cn02"]


def test_a_magnetic_reservation_draws_in_those_who_may_use_it_and_lets_them_go_elsewhere_when_it_is_full() -> None:
    c = b.cluster(nodes=2, cpus=4)
    b.reserve(c, "r", Nodes="cn02", Flags="MAGNETIC")
    mine, second, strangers = b.submit(c, ntasks=4), b.submit(c, ntasks=4), b.submit(c, ntasks=4, by=b.BOB)
    planned(c)
    assert (where(c, mine), where(c, second), where(c, strangers)) == (["cn02"], ["cn01"], [])
    assert mine.allocation is not None and mine.allocation.reservation == "r" and second.allocation is not None and second.allocation.reservation == ""


def test_of_a_node_whose_cores_are_reserved_in_part_others_get_the_rest() -> None:
    c = b.cluster(nodes=1, cpus=4)
    b.reserve(c, "r", Nodes="cn01", CoreCnt="3")
    outside, whole, inside = b.submit(c), b.submit(c, exclusive="node"), b.submit(c, reservation="r", ntasks=3)
    planned(c)
    assert where(c, outside) == where(c, inside) == ["cn01"] and where(c, whole) == []
    assert inside.allocation is not None and list(inside.allocation.shares[0].cpus) == [0, 1, 2]
    too_many = b.submit(c, ntasks=2, by=b.BOB)
    b.finish(c, outside)
    planned(c)
    assert where(c, too_many) == []


def test_a_maintenance_that_lies_over_a_reservation_closes_its_nodes_for_its_jobs_too() -> None:
    c = b.cluster(nodes=2)
    b.reserve(c, "r", Nodes="cn[01-02]")
    b.reserve(c, "mends", Users="root", StartTime="now+10minutes", Nodes="cn01", Flags="MAINT")
    job, short = b.submit(c, reservation="r", nodelist="cn01", time_limit=1200), b.submit(c, reservation="r", nodelist="cn01", time_limit=600)
    planned(c)
    assert (where(c, job), where(c, short)) == ([], ["cn01"])


def test_short_jobs_run_in_anothers_reservation_with_max_start_delay() -> None:
    c = b.cluster(nodes=1)
    b.reserve(c, "r", Nodes="cn01", MaxStartDelay="10")
    short, long = b.submit(c, by=b.BOB, time_limit=600), b.submit(c, by=b.BOB, time_limit=601)
    planned(c)
    assert (where(c, short), where(c, long)) == (["cn01"], [])


def test_one_that_waits_inside_a_reservation_does_not_hold_up_those_outside_nor_they_him() -> None:
    c = b.cluster(nodes=2, cpus=4)
    b.reserve(c, "r", Nodes="cn01")
    inside = [b.submit(c, reservation="r", ntasks=4, time_limit=60) for _ in range(2)]
    outside = [b.submit(c, ntasks=4, time_limit=60) for _ in range(2)]
    made = planned(c)
    assert [where(c, job) for job in (*inside, *outside)] == [["cn01"], [], ["cn02"], []]
    assert {made.verdicts[job.id].reason for job in (inside[1], outside[1])} == {"Resources"}


def test_when_a_reservation_is_over_those_that_wait_for_it_are_held_until_they_are_released_or_get_another() -> None:
    c = b.cluster(nodes=2)
    for name, node in (("r", "cn01"), ("s", "cn02")):
        b.reserve(c, name, Nodes=node, Duration="10" if name == "r" else "60")
    jobs = [b.submit(c, reservation="r", at=b.T0) for _ in range(2)]
    either = b.submit(c, reservation="r,s")
    b.pass_time(c, b.T0 + 600)
    for job in jobs:
        assert (job.held, job.flags, job.reason, job.request.reservation) == ("user", ["resv_del_hold"], "Reservation r was deleted", "")
        assert (job_values.state_code(job), job_values.state_name(job)) == ("RD", "RESV_DEL_HOLD")
    assert either.request.reservation == "s" and not either.held
    assert planned(c, b.T0 + 600).verdicts[jobs[0].id].reason == "Reservation r was deleted"
    for event in (*hold.release(c, [str(jobs[0].id)], b.ALICE, b.T0 + 601),
                  *update.update_job(c, str(jobs[1].id), {"ReservationName": "s"}, b.ALICE, b.T0 + 601)):
        c.apply(event)
    planned(c, b.T0 + 601)
    assert (where(c, jobs[0]), where(c, jobs[1])) == (["cn01"], ["cn02"]) and not jobs[0].flags and not jobs[1].flags


def test_with_no_hold_jobs_after_they_run_elsewhere() -> None:
    c = b.cluster(nodes=1)
    b.reserve(c, "r", StartTime="now+5minutes", Nodes="cn01", Duration="10", Flags="NO_HOLD_JOBS_AFTER")
    job = b.submit(c, reservation="r", begin=b.T0 + 2000)
    b.pass_time(c, b.T0 + 2000)
    planned(c, b.T0 + 2000)
    assert where(c, job) == ["cn01"] and job.request.reservation == ""


def test_a_partition_for_reservations_only_takes_no_others() -> None:
    c = b.build([node := b.node("cn01")], [b.partition("debug", [node], default=True, req_resv=True)], b.Settings(def_mem_per_cpu=100))
    b.reserve(c, "r", Nodes="cn01")
    with pytest.raises(Exception, match="Access/permission denied"):
        b.submit(c)
    job = b.submit(c, reservation="r")
    planned(c)
    assert where(c, job) == ["cn01"]


def test_who_may_not_use_a_reservation_is_refused_at_submission_and_waits_when_that_changed() -> None:
    c = b.cluster(nodes=1)
    b.reserve(c, "r", Nodes="cn01", StartTime="now+10minutes")
    with pytest.raises(Exception, match="Access denied to requested reservation"):
        b.submit(c, reservation="r", by=b.BOB)
    with pytest.raises(Exception, match="Requested reservation is invalid"):
        b.submit(c, reservation="r,nosuch")
    job = b.submit(c, reservation="r")
    c.apply(making.update(c, "r", {"Users": "bob"}, b.ROOT, b.People(), b.T0))
    b.pass_time(c, b.T0 + 600)
    assert planned(c, b.T0 + 600).verdicts[job.id].reason == "Reservation"


@pytest.mark.parametrize(("keys", "alice", "bob"), [
    ({"Users": "alice"}, True, False), ({"Users": "-alice"}, False, True), ({"Groups": "staff"}, True, True), ({"Accounts": "physics"}, True, False),
    ({"Accounts": "-physics"}, False, True), ({"Users": "alice,bob", "Accounts": "physics"}, True, False)])
def test_users_groups_and_accounts_decide_who_may_use_it(keys: dict[str, str], alice: bool, bob: bool) -> None:
    c = b.cluster(nodes=1)
    b.reserve(c, "r", Nodes="cn01", **keys)
    for caller, account, may in ((b.ALICE, "physics", alice), (b.BOB, "arts", bob)):
        if may:
            assert b.submit(c, reservation="r", by=caller, account=account).request.reservation == "r"
        else:
            with pytest.raises(Exception, match="Access denied"):
                b.submit(c, reservation="r", by=caller, account=account)


def test_a_floating_reservation_never_begins_and_keeps_long_jobs_off_its_nodes() -> None:
    c = b.cluster(nodes=1)
    b.reserve(c, "r", StartTime="now+10minutes", NodeCnt="1", Flags="TIME_FLOAT")
    b.pass_time(c, b.T0 + 100_000)
    long, short = b.submit(c, time_limit=601), b.submit(c, time_limit=600)
    planned(c, b.T0 + 100_000)
    assert (where(c, long), where(c, short)) == ([], ["cn01"]) and "r" in c.reservations


def test_nodes_that_fail_a_reservation_by_number_are_replaced_static_ones_are_not() -> None:
    c = b.cluster(nodes=4)
    moving, static = b.reserve(c, "moving", NodeCnt="1"), b.reserve(c, "static", NodeCnt="1", Flags="STATIC")
    assert (moving.nodes, static.nodes) == (["cn01"], ["cn02"])
    for name in ("cn01", "cn02"):
        c.apply(e.NodeUpdated(at=b.T0 + 1, node=c.nodes[b.node(name).name].name, by=b.ROOT.uid, state="DRAIN", reason="mends"))
    b.pass_time(c, b.T0 + 60)
    assert (c.reservations["moving"].nodes, c.reservations["static"].nodes) == (["cn03"], ["cn02"])


def test_replace_hands_out_idle_nodes_for_those_in_use() -> None:
    c = b.cluster(nodes=3)
    b.reserve(c, "r", NodeCnt="1", Flags="REPLACE")
    job = b.submit(c, reservation="r")
    planned(c)
    assert where(c, job) == ["cn01"]
    b.pass_time(c, b.T0 + 60)
    assert c.reservations["r"].nodes == ["cn02"]


def test_an_idle_reservation_is_purged_after_its_time_and_a_used_one_is_not() -> None:
    c = b.cluster(nodes=2)
    b.reserve(c, "idle", Nodes="cn01", Flags="PURGE_COMP=10")
    b.reserve(c, "used", Nodes="cn02", Flags="PURGE_COMP=10")
    job = b.submit(c, reservation="used", time_limit=1800)
    planned(c)
    b.pass_time(c, b.T0 + 900)
    assert list(c.reservations) == ["used"]
    c.apply(e.Launched(at=b.T0 + 900, job=job.id, attempt=1))
    b.finish(c, job, at=b.T0 + 1000)
    b.pass_time(c, b.T0 + 1599)
    assert list(c.reservations) == ["used"]
    b.pass_time(c, b.T0 + 1600)
    assert not c.reservations


def test_an_array_goes_on_elsewhere_with_the_tasks_that_are_left_not_with_the_first_again() -> None:
    c = b.cluster(nodes=2, cpus=4)
    b.reserve(c, "r", Nodes="cn01", Flags="MAGNETIC")
    b.submit(c, array="0-3", ntasks=2)
    made = plan(c, b.T0, backfill=False)
    assert [(one.task, one.allocation.reservation) for one in made.proposals] == [(0, "r"), (1, "r"), (2, ""), (3, "")]


def test_an_array_that_names_two_partitions_goes_on_in_the_second_with_the_tasks_that_are_left() -> None:
    one, two = b.node("cn01", 2, position=1), b.node("cn02", 2, position=2)
    c = b.build([one, two], [b.partition("p", [one], default=True), b.partition("q", [two])], b.Settings(def_mem_per_cpu=100))
    b.submit(c, array="0-3", partition="p,q")
    assert [(made.task, made.allocation.partition) for made in plan(c, b.T0, backfill=False).proposals] == [(0, "p"), (1, "p"), (2, "q"), (3, "q")]
