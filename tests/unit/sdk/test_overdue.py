"""Jobs that the cluster calls RUNNING for ever, as a slurmctld does that was killed while they ended: their files are believed, after a while."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from slurm.sdk.backends.commands import FOUND, LOOKED_FOR, PATIENCE, CommandsBackend, Overdue, Submitted
from slurm.sdk.backends.disk import SharedDisk
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.errors import BackendError
from slurm.sdk.following.status import Status

RUNNING, DONE, FAILED = Status("RUNNING"), Status("COMPLETED", "0:0"), Status("FAILED", "1:0")
FILES = JobFiles("/jobs", "k")


class Watched:
    """An Overdue on a clock of its own, over files that a test names."""

    def __init__(self) -> None:
        self.now = 0.0
        self.there: set[str] = set()
        self.asked: list[Sequence[str]] = []
        self.lying: dict[str, Submitted] = {}
        self.looked_up: list[str] = []
        self.overdue = Overdue(self._present, self._find, lambda: self.now)

    def _present(self, paths: Sequence[str]) -> set[str]:
        self.asked.append(paths)
        return self.there.intersection(paths)

    def _find(self, job: str) -> Submitted | None:
        self.looked_up.append(job)
        if job == "away":
            raise BackendError("the cluster is away")
        return self.lying.get(job)

    def later(self, seconds: float, *jobs: str, state: Status = RUNNING) -> Mapping[str, Status]:
        self.now += seconds
        return self.overdue.judged(dict.fromkeys(jobs, state))


def test_a_result_that_has_lain_there_for_long_ends_a_job_that_is_still_called_running() -> None:
    watched = Watched()
    watched.overdue.submitted("7", FILES.script, {})
    watched.there = {FILES.result}
    assert watched.later(0, "7") == watched.later(PATIENCE, "7") == watched.later(PATIENCE / 2, "7") == {"7": RUNNING}
    assert watched.later(PATIENCE, "7") == {"7": DONE} == watched.later(1, "7")
    assert len(watched.asked) == 2


def test_elements_of_a_later_part_and_of_a_second_attempt_are_found_by_their_numbers() -> None:
    watched = Watched()
    watched.overdue.submitted("8", f"{FILES.script}.1000.again1", {})
    watched.there = {FILES.element(1003).result, FILES.element(1004).error}
    for _ in range(3):
        found = watched.later(PATIENCE, "8_3", "8_4", "8_5")
    assert found == {"8_3": DONE, "8_4": FAILED, "8_5": RUNNING}


@pytest.mark.parametrize(("options", "ranks"), [({"ntasks": "2"}, 2), ({"nodes": "2", "ntasks_per_node": "3"}, 6), ({"nodes": "2"}, 2)])
def test_a_job_of_several_tasks_is_over_when_all_of_them_have_left_a_result(options: Mapping[str, str], ranks: int) -> None:
    watched = Watched()
    watched.overdue.submitted("7", FILES.script, options)
    watched.there = {FILES.rank_result(rank) for rank in range(ranks - 1)}
    for _ in range(4):
        assert watched.later(PATIENCE, "7") == {"7": RUNNING}
    watched.there.add(FILES.rank_result(ranks - 1))
    watched.later(PATIENCE, "7")
    assert watched.later(PATIENCE, "7") == {"7": DONE}


def test_of_a_job_whose_number_of_tasks_nobody_knows_only_an_error_is_believed() -> None:
    watched = Watched()
    watched.overdue.submitted("7", FILES.script, {"nodes": "2-4"})
    watched.there = {FILES.result}
    assert [watched.later(PATIENCE, "7")["7"] for _ in range(4)] == [RUNNING] * 4
    watched.there = {FILES.error}
    assert [watched.later(PATIENCE, "7")["7"] for _ in range(2)] == [RUNNING, FAILED]


def test_a_job_that_is_run_again_is_waited_for_anew() -> None:
    watched = Watched()
    watched.overdue.submitted("7", FILES.script, {})
    watched.there = {FILES.result}
    for _ in range(3):
        watched.later(PATIENCE, "7")
    assert watched.later(1, "7", state=Status("PENDING"))["7"].state == "PENDING"
    assert watched.later(1, "7") == watched.later(PATIENCE, "7") == {"7": RUNNING}


def test_one_look_asks_for_a_bounded_number_of_files_and_all_jobs_get_their_turn() -> None:
    watched = Watched()
    watched.overdue.submitted("8", FILES.script, {})
    jobs = [f"8_{number}" for number in range(LOOKED_FOR)]
    watched.there = {FILES.element(LOOKED_FOR - 1).result}
    found: Mapping[str, Status] = {}
    for _ in range(5):
        found = watched.later(PATIENCE, *jobs)
    assert all(len(paths) <= LOOKED_FOR for paths in watched.asked)
    assert found[jobs[-1]] == DONE and found[jobs[0]] == RUNNING


def test_a_job_of_another_program_is_looked_up_once_and_then_judged_as_the_others() -> None:
    watched = Watched()
    watched.lying = {"7": Submitted(FILES, 0, 1), "8": Submitted(JobFiles("/jobs", "l"), 1000, 1)}
    watched.there = {FILES.result, JobFiles("/jobs", "l", 1003).error}
    for _ in range(3):
        found = watched.later(PATIENCE, "7", "8_3", "8_4", "9")
    assert found == {"7": DONE, "8_3": FAILED, "8_4": RUNNING, "9": RUNNING}
    assert watched.looked_up == ["7", "8", "9"]


def test_few_jobs_of_other_programs_are_looked_up_at_a_time_and_a_cluster_that_is_away_spoils_nothing() -> None:
    watched = Watched()
    watched.overdue.submitted("7", FILES.script, {})
    watched.there = {FILES.result}
    for _ in range(2):
        watched.later(PATIENCE, *map(str, range(100, 200)))
    assert watched.looked_up == [str(number) for number in range(100, 100 + FOUND)]
    for _ in range(3):
        found = watched.later(PATIENCE, "away", "7")
    assert found == {"away": RUNNING, "7": DONE}
    assert watched.looked_up[FOUND:] == ["away", "away"]


def test_a_folder_that_may_not_be_looked_into_leaves_the_clusters_word() -> None:
    def denied(paths: Sequence[str]) -> set[str]:
        raise PermissionError(13, "Permission denied", paths[0])

    now = [0.0]
    overdue = Overdue(denied, lambda job: None, lambda: now[0])
    overdue.submitted("7", FILES.script, {})
    for now[0] in (0, PATIENCE, 2 * PATIENCE):
        assert overdue.judged({"7": RUNNING}) == {"7": RUNNING}


@pytest.mark.parametrize(("line", "told"), [("", "COMPLETED"), ("NumTasks=2", "RUNNING"), ("UserId=other(5)", "RUNNING"), ("Command=/bin/sleep", "RUNNING"), ("nothing", "RUNNING")])
def test_who_waits_for_a_job_of_another_program_hears_of_an_end_that_the_cluster_missed(tmp_path: Path, line: str, told: str) -> None:
    files = JobFiles(str(tmp_path), "k")
    user = SharedDisk().around().user
    fields = {"JobId": "7", "UserId": f"{user}(1)", "NumTasks": "1", "Command": files.script, **dict([line.split("=")] if "=" in line else [])}
    said = "" if line == "nothing" else " ".join(map("=".join, fields.items()))
    for name, text in (("squeue", "echo '7|RUNNING|0|None|'"), ("scontrol", f"echo '{said}'")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(stat.S_IRWXU)
    backend = CommandsBackend({"PATH": f"{tmp_path}:/usr/bin:/bin"})
    now = [0.0]
    backend._overdue._clock = lambda: now[0]
    Path(files.result).touch()
    for now[0] in (0, PATIENCE, 2 * PATIENCE):
        found = backend.states(["7"])["7"].state
    assert found == told


def test_states_of_the_commands_are_judged_by_the_files_of_what_was_submitted(tmp_path: Path) -> None:
    for name, text in (("sbatch", "echo 7"), ("squeue", "echo '7_0|RUNNING|0|None|'")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(stat.S_IRWXU)
    backend = CommandsBackend({"PATH": f"{tmp_path}:/usr/bin:/bin"})
    now = [0.0]
    backend._overdue._clock = lambda: now[0]
    files = JobFiles(str(tmp_path), "k")
    backend.submit("", files.script, {}, [0])
    Path(files.element(0).result).touch()
    told = []
    for now[0] in (0, PATIENCE, 2 * PATIENCE):
        told.append(backend.states(["7_0"])["7_0"].state)
    assert told == ["RUNNING", "RUNNING", "COMPLETED"]
