"""Polling: pauses grow to a bound, a wake-up brings the next question nearer but never starves it, a cheap look may be quicker than the question."""

from __future__ import annotations

import stat
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from slurm.sdk.backends.commands import CommandsBackend
from slurm.sdk.backends.polling import Poll
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.following.status import Status

RUNNING, DONE = Status("RUNNING"), Status("COMPLETED", "0:0")


def test_pauses_grow_to_their_bound_and_begin_anew_after_a_change() -> None:
    answers = [RUNNING, *[RUNNING] * 6, DONE]
    asked: list[float] = []

    def states(ids: Sequence[str]) -> dict[str, Status]:
        asked.append(time.monotonic())
        return {"1": answers[min(len(asked), len(answers)) - 1]}

    poll = Poll(states, 0.01, 0.05)
    for _ in range(9):
        poll.changes(["1"], 30)
    pauses = [later - before for before, later in zip(asked, asked[1:], strict=False)]
    assert pauses[5] >= 0.045 and pauses[0] < pauses[5]
    assert pauses[-1] < pauses[5]


def test_somebody_who_wakes_it_again_and_again_does_not_keep_it_from_asking() -> None:
    asked = threading.Event()

    def states(ids: Sequence[str]) -> dict[str, Status]:
        asked.set()
        return {}

    poll = Poll(states, 0.05, 5)
    deadline = time.monotonic() + 20
    while not asked.is_set() and time.monotonic() < deadline:
        poll.wake()
        poll.changes(["1"], 30)
    assert asked.is_set()


def test_a_timeout_ends_the_pause() -> None:
    poll = Poll(lambda ids: {"1": DONE}, 5, 5)
    began = time.monotonic()
    assert poll.changes(["1"], 0.01) == {"1": DONE} and time.monotonic() - began < 4


def test_a_result_that_is_there_is_seen_before_squeue_tells_of_it(tmp_path: Path) -> None:
    for name, text in (("sbatch", "echo 7"), ("squeue", f"echo asked >> {tmp_path}/asked")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(stat.S_IRWXU)
    backend = CommandsBackend({"PATH": f"{tmp_path}:/usr/bin:/bin"})
    files = JobFiles(str(tmp_path), "k")
    assert backend.submit("", files.script, {}) == "7"
    assert backend.submit("", files.script, {"ntasks": "2"}) == "7"
    assert backend.changes(["7"], 30)["7"].state != "COMPLETED"
    Path(files.result).touch()
    assert backend.changes(["7"], 30) == {"7": DONE}
    assert (tmp_path / "asked").read_text() == "asked\n"


def test_a_result_is_told_once_so_that_the_others_are_asked_for(tmp_path: Path) -> None:
    for name, text in (("sbatch", "echo 7"), ("squeue", "echo '8|FAILED|256|NonZeroExitCode'")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(stat.S_IRWXU)
    backend = CommandsBackend({"PATH": f"{tmp_path}:/usr/bin:/bin"})
    files = JobFiles(str(tmp_path), "k")
    backend.submit("", files.script, {})
    Path(files.result).touch()
    assert backend.changes(["7", "8"], 30) == {"7": DONE}
    assert backend.changes(["7", "8"], 30)["8"].state == "FAILED"
