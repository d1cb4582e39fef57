"""Questions about the past, as the process answers them that is started for each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from slurm.core import events as e
from slurm.core import hold, update
from slurm.core.events import Caller
from slurm.model.errors import InvalidRequest, NotFound
from slurm.slurmctld.lookback import Lookback, Question
from slurm.slurmctld.looking_back import answer
from slurm.testing import builders as b
from slurm.wire import messages as m
from slurm.wire.history_messages import HistoryRead, ReadHistory
from tests.written import Written, day

MINUTE = 60.0


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Written]:
    """Job 1 fills the cluster for ten minutes; job 2 was held, released and shortened, and runs after it."""
    made = Written(tmp_path, every=6, segment=6)
    simulated = day(made, jobs=0)
    simulated.run()
    first = b.submit(made, at=b.T0, ntasks=64, time_limit=600, name="first")
    b.start(made, first, "cn01", "cn02", "cn03", "cn04", cpus=16, at=b.T0 + 1)
    second = b.submit(made, at=b.T0 + 60, ntasks=64, time_limit=600, name="second", hold=True)
    for event in hold.release(made, [str(second.id)], b.ALICE, b.T0 + 2 * MINUTE):
        made.apply(event)
    for event in update.update_job(made, str(second.id), {"TimeLimit": "5"}, b.ALICE, b.T0 + 3 * MINUTE):
        made.apply(event)
    b.finish(made, first, at=b.T0 + 9 * MINUTE)
    b.start(made, second, "cn01", "cn02", "cn03", "cn04", cpus=16, at=b.T0 + 10 * MINUTE)
    made.write()
    yield made
    made.journal.close()


def ask(of: Written, message: m.ListJobs | m.ExplainJob | ReadHistory, caller: Caller = b.ALICE, *, all_seeing: bool = False,
        private: tuple[str, ...] = ()) -> m.Message:
    return answer(Question(journal=of.history.path, history_seconds=86400.0, caller=caller, all_seeing=all_seeing,
                           private_data=list(private), message=message), b.T0 + 3600)


def rows(of: Written, at: float, caller: Caller = b.ALICE, **options: object) -> list[list[str]]:
    reply = ask(of, m.ListJobs(fields=["JobID", "State", "Reason"], at=at), caller, **options)  # type: ignore[arg-type]
    assert isinstance(reply, m.Rows)
    return [list(row) for row in reply.rows]


def told(of: Written, job: str, at: float) -> m.Explained:
    reply = ask(of, m.ExplainJob(job_id=job, at=at))
    assert isinstance(reply, m.Explained)
    return reply


def test_squeue_shows_the_queue_of_each_moment_with_its_reasons(cluster: Written) -> None:
    assert rows(cluster, b.T0 + 30) == [["1", "RUNNING", "None"]]
    assert rows(cluster, b.T0 + 90) == [["2", "PENDING", "JobHeldUser"], ["1", "RUNNING", "None"]]
    assert rows(cluster, b.T0 + 150) == [["2", "PENDING", "Resources"], ["1", "RUNNING", "None"]]
    assert rows(cluster, b.T0 + 601) == [["2", "RUNNING", "None"]]


def test_explain_says_why_it_waited_then_and_when_it_was_expected(cluster: Written) -> None:
    found = told(cluster, "2", b.T0 + 200).explanation
    assert (found.reason, found.start, [one.job for one in found.holders]) == ("Resources", b.T0 + 601, ["1"])
    assert told(cluster, "2", b.T0 + 90).explanation.reason == "JobHeldUser"
    assert told(cluster, "2", b.T0 + 9.5 * MINUTE).explanation.sentence == "there was room for it: it was about to start"
    with pytest.raises(NotFound):
        told(cluster, "2", b.T0 + 30)


def test_the_history_of_a_job_is_told_event_by_event_across_what_the_journal_gave_up(cluster: Written) -> None:
    assert len(cluster.history.segments()) > 1
    found = ask(cluster, ReadHistory(job_id="2"))
    assert isinstance(found, HistoryRead)
    assert [(one.at - b.T0, one.state) for one in found.happened] == [
        (60, "PENDING"), (120, "PENDING"), (180, "PENDING"), (600, "RUNNING")]
    assert [one.what.split(":")[0] for one in found.happened] == [
        "Job 2 (second) of alice waits in partition debug", "Job 2 released", "Job 2",
        "Job 2 starts on cn[01-04] with 64 CPUs in partition debug"]
    with pytest.raises(NotFound):
        ask(cluster, ReadHistory(job_id="77"))


def test_what_is_private_today_is_private_of_the_past_too(cluster: Written) -> None:
    assert rows(cluster, b.T0 + 150, b.BOB) and not rows(cluster, b.T0 + 150, b.BOB, private=("jobs",))
    assert rows(cluster, b.T0 + 150, b.BOB, private=("jobs",), all_seeing=True) and rows(cluster, b.T0 + 150, private=("jobs",))
    with pytest.raises(NotFound):
        ask(cluster, m.ExplainJob(job_id="2", at=b.T0 + 200), b.BOB, private=("jobs",))
    with pytest.raises(NotFound):
        ask(cluster, ReadHistory(job_id="2"), b.BOB, private=("jobs",))


def test_a_moment_that_is_not_kept_is_refused(cluster: Written) -> None:
    with pytest.raises(InvalidRequest, match="no moment that is kept"):
        rows(cluster, b.T0 - 1)


def test_the_process_answers_as_it_was_asked_and_tells_refusals(cluster: Written) -> None:
    async def scene() -> list[dict[str, object]]:
        lookback = Lookback(cluster.history, 86400.0)
        replies = []
        for message in (m.ListJobs(fields=["JobID", "State"], at=b.T0 + 90), m.ListJobs(fields=["JobID"], at=b.T0 - 1)):
            replies.append(msgspec.json.decode(await lookback.ask(cluster, b.ALICE, message, b.T0 + 3600, first=False)))
        with pytest.raises(InvalidRequest):
            await lookback.ask(cluster, b.ALICE, m.ExplainJob(job_id="1", at=b.T0 + 9000), b.T0 + 3600, first=False)
        return replies

    good, bad = asyncio.run(scene())
    assert good["rows"] == [["2", "PENDING"], ["1", "RUNNING"]] and bad["kind"] == "InvalidRequest"


def test_events_of_the_journal_alone_suffice_in_its_first_minutes(tmp_path: Path) -> None:
    made = Written(tmp_path, every=10**6)
    day(made, jobs=0).run()
    b.submit(made, at=b.T0 + 5, ntasks=1)
    made.apply(e.Cancelled(at=b.T0 + 9, job=b.JobId(1), by=b.Uid(1001)))
    made.write()
    found = ask(made, ReadHistory(job_id="1"))
    assert isinstance(found, HistoryRead) and [one.state for one in found.happened] == ["PENDING", "CANCELLED"]
    made.journal.close()
