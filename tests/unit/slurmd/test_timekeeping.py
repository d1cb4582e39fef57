"""What a slurmstepd ends a step for by itself: a time limit, a lease; and never silence without one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from slurm.slurmd.heartbeats import Heartbeats
from slurm.slurmd.stepd import timekeeping
from slurm.slurmd.stepd.timekeeping import Timekeeping, boot_clock, read_heartbeat

WEEK = 7 * 86400


class VirtualLoop:
    """Timers on a clock that the test moves; the loop of a slurmstepd as far as timekeeping sees it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.asleep = 0.0  # what the monotonic clock did not see
        self.due: dict[Callable[[], None], float] = {}
        monkeypatch.setattr(timekeeping.time, "monotonic", lambda: self.now - self.asleep)

    def at(self, when: float, callback: Callable[[], None]) -> None:
        """As the loop has it."""
        self.due[callback] = when

    def run(self, seconds: float) -> None:
        """Let time pass, from timer to timer."""
        end = self.now + seconds
        while self.due:
            callback, when = min(self.due.items(), key=lambda item: item[1])
            if when + self.asleep > end:
                break
            self.now = max(self.now, when + self.asleep)
            del self.due[callback]
            callback()
        self.now = end

    def sleep(self, seconds: float) -> None:
        """The machine sleeps: the boot clock goes on, the monotonic one does not."""
        self.now += seconds
        self.asleep += seconds


class Step:
    """A step under watch; `ended` says why and when it was ended."""

    def __init__(self, loop: VirtualLoop, *, limit: float = 0.0, lease: float = 0.0, allowed: float = 0.0) -> None:
        self.ended: list[tuple[str, float]] = []
        self.heard = loop.now
        self.watch = Timekeeping(
            loop, loop.now + limit if limit else 0.0, lease, lambda: self.heard,  # type: ignore[arg-type]
            lambda why: self.ended.append((why, loop.now)), clock=lambda: loop.now, allowed=allowed)


def test_a_week_of_silence_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = VirtualLoop(monkeypatch)
    step, limited = Step(loop), Step(loop, limit=2 * WEEK)
    loop.run(WEEK)
    assert step.ended == [] and limited.ended == []


def test_a_time_limit_is_kept_without_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = VirtualLoop(monkeypatch)
    step = Step(loop, limit=3600)
    loop.run(3600)
    assert step.ended == [], "a controller that serves comes first"
    loop.run(2)
    assert [why for why, _ in step.ended] == ["timeout"] and step.watch.ended_for == "timeout"
    loop.run(WEEK)
    assert len(step.ended) == 1


def test_a_changed_limit_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = VirtualLoop(monkeypatch)
    longer, none, shorter = Step(loop, limit=60), Step(loop, limit=60), Step(loop)
    loop.run(30)
    longer.watch.set_deadline(loop.now + 600)
    none.watch.set_deadline(0.0)
    shorter.watch.set_deadline(loop.now + 10)
    loop.run(500)
    assert (longer.ended, none.ended, [why for why, _ in shorter.ended]) == ([], [], ["timeout"])
    loop.run(200)
    assert [why for why, _ in longer.ended] == ["timeout"] and none.ended == []


def test_a_step_with_a_limit_of_its_own_ends_at_it_whatever_becomes_of_the_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = VirtualLoop(monkeypatch)
    step = Step(loop, limit=60, allowed=10)
    step.watch.set_deadline(loop.now + 3600)
    loop.run(9)
    assert step.ended == []
    loop.run(2)
    assert [why for why, _ in step.ended] == ["timeout"]


def test_the_time_that_a_step_stands_still_is_not_of_its_own_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = VirtualLoop(monkeypatch)
    step = Step(loop, allowed=10)
    loop.run(5)
    step.watch.stand_still(True)
    loop.run(100)
    step.watch.stand_still(False)
    loop.run(4)
    assert step.ended == []
    loop.run(2)
    assert len(step.ended) == 1


def test_a_lease_runs_out_so_many_seconds_after_the_last_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = VirtualLoop(monkeypatch)
    step = Step(loop, lease=120)
    for _ in range(50):
        loop.run(10)
        step.heard = loop.now
    assert step.ended == []
    last = step.heard
    loop.run(119)
    assert step.ended == []
    loop.run(10)
    assert step.ended == [("lease", last + 120)]


def test_a_machine_that_slept_ends_what_is_overdue_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = VirtualLoop(monkeypatch)
    leased, limited = Step(loop, lease=120), Step(loop, limit=3600)
    loop.sleep(4000)
    loop.run(timekeeping._LEASE_WAIT + 1)
    assert [why for why, _ in leased.ended] == ["lease"]
    loop.run(timekeeping._LONGEST_WAIT)
    assert [why for why, _ in limited.ended] == ["timeout"]


def test_an_answer_counts_from_when_it_was_asked(tmp_path: Path) -> None:
    now = [50.0]
    beats = Heartbeats(str(tmp_path), clock=lambda: now[0])
    beats.open()
    beats.asked()
    now[0] = 75.0
    beats.asked()
    now[0] = 90.0
    beats.answered()
    assert read_heartbeat(beats.path) == 50.0
    beats.disconnected()
    beats.answered()
    assert read_heartbeat(beats.path) == 50.0, "what was asked on a connection that broke is not answered"
    now[0] = 100.0
    beats.nobody_serves()
    assert read_heartbeat(beats.path) == 100.0
    beats.close()


def test_a_heartbeat_of_an_earlier_boot_or_none_is_none(tmp_path: Path) -> None:
    assert read_heartbeat(str(tmp_path / "heartbeat")) == 0.0
    (tmp_path / "heartbeat").write_text(f"{boot_clock() + 1000:.3f}".ljust(32))
    assert read_heartbeat(str(tmp_path / "heartbeat")) == 0.0
