"""The tracker: who waits is woken, nobody waits for ever, one question serves all."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Sequence
from typing import Any, cast

import pytest

from slurm.sdk.backends.backend import Backend
from slurm.sdk.errors import BackendError, BackendTimeout
from slurm.sdk.following.status import Status
from slurm.sdk.following.tracker import Tracker


class Played:
    """A backend whose news the test plays; an exception among the news is raised."""

    def __init__(self) -> None:
        self.news: queue.SimpleQueue[dict[str, Status] | BackendError] = queue.SimpleQueue()
        self.questions: list[Sequence[str]] = []
        self.present: dict[str, Status] = {}
        self.rested = threading.Event()
        self.orders: list[Sequence[str]] = []

    def cancel(self, ids: Sequence[str]) -> None:
        self.orders.append(ids)
        if "refused" in ids:
            raise BackendError("not yours")

    def states(self, ids: Sequence[str]) -> dict[str, Status]:
        self.questions.append(tuple(ids))
        return {one: self.present.get(one, Status("PENDING")) for one in ids}

    def changes(self, ids: Sequence[str], timeout: float) -> dict[str, Status]:
        told = self.news.get(timeout=30)
        if isinstance(told, Exception):
            raise told
        return told

    def wake(self) -> None:
        self.news.put({})

    def rest(self) -> None:
        self.rested.set()


def _tracker(**how: float) -> tuple[Tracker, Played]:
    played = Played()
    return Tracker(cast(Backend, cast(Any, played)), **how), played


def test_a_wait_ends_with_the_news_of_the_last_job_and_the_listener_rests() -> None:
    tracker, played = _tracker()
    played.news.put({"1": Status("COMPLETED"), "9": Status("RUNNING")})
    played.news.put({"2": Status("RUNNING")})
    played.news.put({"2": Status("FAILED", "1:0")})
    assert tracker.wait(["1", "2"], 30)
    assert tracker.statuses(["1", "2"]) == {"1": Status("COMPLETED"), "2": Status("FAILED", "1:0")}
    assert played.rested.wait(5)
    assert played.questions == []


def test_a_wait_gives_up_at_its_time() -> None:
    tracker, played = _tracker()
    assert not tracker.wait(["1"], 0.01)
    played.news.put({"1": Status("COMPLETED")})
    assert tracker.wait(["1"], 30)


def test_one_question_asks_for_all_jobs_that_have_not_ended() -> None:
    tracker, played = _tracker()
    tracker.add(["1", "2", "3"])
    played.present = {"1": Status("COMPLETED")}
    assert tracker.status("1").finished
    assert tracker.status("2").state == "PENDING"
    assert played.questions == [("1", "2", "3"), ("2", "3")]


def test_a_cluster_that_comes_back_is_waited_for() -> None:
    tracker, played = _tracker()
    played.news.put(BackendError("away"))
    played.news.put({"1": Status("COMPLETED")})
    assert tracker.wait(["1"], 30)


def test_a_cluster_that_stays_away_is_told_to_those_who_wait() -> None:
    tracker, played = _tracker(patience=0.05)
    for _ in range(3):
        played.news.put(BackendTimeout("away for good"))
    with pytest.raises(BackendTimeout, match="the cluster has not answered for 0 s: away for good. Jobs go on without it"):
        tracker.wait(["1"], 30)


def test_who_stops_waiting_with_control_c_is_told_how_to_find_the_jobs_again() -> None:
    tracker, played = _tracker()
    played.news.put({"1": Status("COMPLETED")})
    done = threading.Event()
    tracker.when_done("1", done.set)
    assert done.wait(5)
    threading.Timer(0.1, signal.pthread_kill, [threading.get_ident(), signal.SIGINT]).start()  # raised in the timer's thread it would wake nobody
    with pytest.raises(KeyboardInterrupt) as stopped:
        tracker.wait(["1", "2", "3_0", "3_1"], 30)
    (note,) = stopped.value.__notes__
    assert note.startswith("2 jobs go on without this program: `squeue -j 2,3` shows, `scancel 2 3` ends")
    played.news.put({})


def test_whatever_breaks_the_listener_is_told_to_those_who_wait() -> None:
    tracker, played = _tracker()
    played.news.put(cast(Any, OSError("no more descriptors")))
    with pytest.raises(BackendError, match="waiting for jobs failed: OSError: no more descriptors"):
        tracker.wait(["1"], 5)
    played.news.put({"1": Status("COMPLETED")})
    assert tracker.wait(["1"], 5)


def test_a_callback_is_called_once_and_one_that_raises_harms_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[object] = []
    monkeypatch.setattr("sys.excepthook", lambda kind, *rest: raised.append(kind))
    tracker, played = _tracker()
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    tracker.when_done("1", lambda: 1 / 0)  # type: ignore[arg-type,return-value]
    tracker.when_done("1", lambda: told.put("second"))
    played.news.put({"1": Status("COMPLETED")})
    assert told.get(timeout=30) == "second"
    assert raised == [ZeroDivisionError]
    tracker.when_done("1", lambda: told.put("late"))
    assert told.get(timeout=30) == "late"


def test_a_child_that_was_forked_while_another_thread_had_the_lock_can_go_on() -> None:
    tracker, played = _tracker()
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with tracker._changed:
            held.set()
            let_go.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(5)
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        played.present["1"] = Status("COMPLETED")
        os._exit(0 if tracker.status("1").successful else 1)
    let_go.set()
    holder.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_who_is_told_of_an_end_may_wait_for_another_thread_that_cancels_a_job() -> None:
    tracker, played = _tracker()
    cancelled = threading.Event()

    class Never:
        def again(self, ended: Any) -> dict[str, str]:
            return {}

    def told() -> None:
        def cancel() -> None:
            tracker.unguard(["2"])
            cancelled.set()

        threading.Thread(target=cancel, daemon=True).start()
        seen.put(cancelled.wait(5))

    seen: queue.SimpleQueue[bool] = queue.SimpleQueue()
    tracker.add(["1", "2"])
    tracker.guard(["1", "2"], Never())
    tracker.when_done("1", told)
    played.news.put({"1": Status("FAILED", "1:0")})
    assert seen.get(timeout=10)
    played.news.put({"2": Status("COMPLETED")})
    assert tracker.wait(["1", "2"], 30)


def test_a_job_that_the_cluster_forgets_when_it_is_cancelled_counts_as_cancelled() -> None:
    tracker, played = _tracker()
    tracker.add(["7_0", "7_1", "refused"])
    played.present = {"7_0": Status("UNKNOWN"), "7_1": Status("UNKNOWN"), "refused": Status("RUNNING")}
    tracker.cancel(["7_0", "7_1"], ["7"])
    assert tracker.known(["7_0", "7_1"]) == dict.fromkeys(["7_0", "7_1"], Status("CANCELLED", "0:0"))
    with pytest.raises(BackendError, match="not yours"):
        tracker.cancel(["refused"])
    played.present["refused"] = Status("UNKNOWN")
    assert tracker.status("refused") == Status("UNKNOWN")
    assert played.orders == [["7"], ["refused"]]
