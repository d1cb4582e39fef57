"""What slurmrestd keeps for listeners: changes, each once, and for those who come back what they missed."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from slurm.model.errors import InvalidRequest
from slurm.slurmrestd import replica as replicas
from slurm.slurmrestd.replica import Filter, Replica
from slurm.slurmrestd.watching import wish
from slurm.wire.follow_messages import Feed, FollowedJob, FollowedNode


def job(number: int, state: str = "PENDING", user: str = "ada", partition: str = "debug", tasks: int = 1, shown: str = "", array: int = 0) -> FollowedJob:
    record = msgspec.Raw(json.dumps({"job_id": number, "state": state}).encode())
    return FollowedJob(id=number, shown=shown or str(number), user=user, account="lab", partition=partition, state=state, tasks=tasks, array=array, record=record)


def node(name: str, state: str = "IDLE") -> FollowedNode:
    return FollowedNode(name=name, partitions=["debug"], record=msgspec.Raw(json.dumps({"name": name, "state": state}).encode()))


def begun(*jobs: FollowedJob, nodes: tuple[FollowedNode, ...] = (), seq: int = 10) -> Replica:
    found = Replica()
    found.take(Feed(seq=seq, at=0, cluster="lab", begins=True, more=True))
    found.take(Feed(seq=seq, at=0, jobs=list(jobs), nodes=list(nodes)))
    return found


def told(of: Replica, number: int, wanted: Filter | None = None) -> list[tuple[str, Any]]:
    batches = of.after(number)
    assert batches is not None
    return [(change.event, json.loads(change.data)) for batch in batches for change in batch.changes if (wanted or Filter()).passes(change)]


def test_what_there_is_at_first_is_no_change() -> None:
    found = begun(job(1), nodes=(node("cn01"),))
    assert found.ready.is_set()
    assert found.last == 0
    assert [change.event for change in found.everything(Filter())] == ["job", "node", "queue"]


def test_changes_come_in_order_with_the_queue_behind_them() -> None:
    found = begun(job(1), job(2, tasks=5))
    assert json.loads(found.queue())["pending"] == 6
    found.take(Feed(seq=11, at=0, jobs=[job(1, "RUNNING")], more=True))
    assert found.last == 0
    found.take(Feed(seq=11, at=0, nodes=[node("cn01", "MIXED")], jobs_gone=[2, 99]))
    assert told(found, 0) == [
        ("job", {"job_id": 1, "state": "RUNNING"}), ("job_gone", {"job_id": 2}), ("node", {"name": "cn01", "state": "MIXED"}),
        ("queue", {"pending": 0, "running": 1, "suspended": 0, "partitions": {"debug": {"pending": 0, "running": 1, "suspended": 0}}})]


def test_what_is_told_again_after_a_break_is_a_change_only_where_it_differs() -> None:
    found = begun(job(1), job(2), nodes=(node("cn01"), node("cn02")))
    found.take(Feed(seq=20, at=0, begins=True, more=True))
    found.take(Feed(seq=20, at=0, jobs=[job(1), job(3)], nodes=[node("cn01", "DOWN")]))
    assert [(event, data.get("job_id") or data.get("name")) for event, data in told(found, 0)] == [
        ("job", 3), ("job_gone", 2), ("node", "cn01"), ("node_gone", "cn02")]


def test_who_comes_back_goes_on_where_he_was() -> None:
    found = begun(seq=10)
    for seq in (11, 12, 15):
        found.take(Feed(seq=seq, at=0, nodes=[node("cn01", f"at {seq}")]))
    assert found.place_of(10) == 0
    assert [data["state"] for _, data in told(found, found.place_of(12) or 0)] == ["at 15"]
    assert [data["state"] for _, data in told(found, found.place_of(13) or 0)] == ["at 15"]
    assert found.place_of(15) == found.last
    assert found.place_of(9) is None
    assert found.place_of(16) is None


def test_what_is_not_kept_any_more_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "MOST_KEPT", 3)
    found = begun(seq=10)
    for seq in range(11, 16):
        found.take(Feed(seq=seq, at=0, nodes=[node("cn01", f"at {seq}")]))
    assert found.place_of(11) is None
    assert found.after(1) is None
    assert [data["state"] for _, data in told(found, found.place_of(12) or 0)] == ["at 13", "at 14", "at 15"]


def test_a_controller_that_lost_its_state_makes_everybody_begin_again() -> None:
    found = begun(job(1), seq=1000)
    found.take(Feed(seq=1001, at=0, jobs=[job(1, "RUNNING")]))
    found.take(Feed(seq=5, at=0, begins=True, more=True))
    found.take(Feed(seq=5, at=0))
    assert (found.seq, found.place_of(1000)) == (5, None)
    assert ("job_gone", {"job_id": 1}) in told(found, found.last - 1)


@pytest.mark.parametrize(("wanted", "ids"), [
    (Filter(users=frozenset({"ada"})), [1, 3]), (Filter(partitions=frozenset({"gpu"})), [2, 3]), (Filter(jobs=frozenset({"7"})), [2]),
    (Filter(jobs=frozenset({"7_1"})), [2]), (Filter(accounts=frozenset({"lab"})), [1, 2, 3]), (Filter(what=frozenset({"nodes"})), [])])
def test_only_what_is_asked_for_is_told(wanted: Filter, ids: list[int]) -> None:
    found = begun()
    found.take(Feed(seq=11, at=0, jobs=[job(1), job(2, user="bob", partition="gpu", shown="7_1", array=7), job(3, partition="debug,gpu")]))
    assert [data["job_id"] for event, data in told(found, 0, wanted) if event == "job"] == ids


def test_who_watched_a_job_that_goes_elsewhere_is_told_so() -> None:
    found = begun(job(1, partition="gpu"))
    found.take(Feed(seq=11, at=0, jobs=[job(1, partition="debug")]))
    assert told(found, 0, Filter(partitions=frozenset({"gpu"}), what=frozenset({"jobs"})))


def test_a_change_is_encoded_once_for_all_listeners() -> None:
    found = begun()
    found.take(Feed(seq=11, at=0, jobs=[job(1)]))
    (first,), (second,) = found.after(0) or [], found.after(0) or []
    assert first.changes[0].sent is second.changes[0].sent


@pytest.mark.parametrize("query", [
    [("usr", "ada")], [("what", "jobs,weather")], [("after", "x")], [("snapshot", "perhaps")], [("user", "a"), ("user", "b")], [("after", "-1")]])
def test_what_nobody_could_mean_is_refused(query: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidRequest):
        wish(query)


def test_the_header_counts_more_than_the_parameter() -> None:
    assert wish([("after", "5"), ("snapshot", "true")], "7")[1:] == (7, True)
