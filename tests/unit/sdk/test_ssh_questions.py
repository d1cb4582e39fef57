"""What Slurm's commands are asked and how their answers are read, for local commands and for ssh alike."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from slurm.sdk.backends.backend import Around
from slurm.sdk.backends.commands import JOBS_A_QUESTION, SlurmCommands, sbatch, submitted
from slurm.sdk.errors import BackendCommandError
from slurm.sdk.following.status import Status


class Scripted(SlurmCommands):
    """Commands that answer what a test says, or fail with it."""

    def __init__(self, answers: Mapping[str, str], failures: Mapping[str, str] | None = None) -> None:
        self.answers, self.failures = answers, failures or {}
        self.asked: list[tuple[str, ...]] = []

    def around(self) -> Around:
        return Around("/home/me", "me")

    def _run(self, *words: str) -> str:
        self.asked.append(words)
        if words[0] in self.failures:
            raise BackendCommandError(self.failures[words[0]])
        return self.answers.get(words[0], "")


def test_one_squeue_tells_of_all_jobs_and_elements() -> None:
    slurm = Scripted({"squeue": "12    |RUNNING |0:0 |None  |\n13_0|PENDING|0|Resources|\n13_1|FAILED|768|NonZeroExitCode|\n"})
    assert slurm.states(["12", "13_0", "13_1"]) == {
        "12": Status("RUNNING", "", "None"), "13_0": Status("PENDING", "", "Resources"), "13_1": Status("FAILED", "3:0", "NonZeroExitCode")}
    assert [words[0] for words in slurm.asked] == ["squeue"]
    assert "12,13" in slurm.asked[0]


def test_sacct_is_asked_once_for_what_squeue_has_forgotten() -> None:
    slurm = Scripted({"squeue": "12|RUNNING|0|None|\n", "sacct": "13|CANCELLED by 1000|0:15\n14|FAILED|3:0\n"})
    found = slurm.states(["12", "13", "14"])
    assert found["13"] == Status("CANCELLED", "0:15") and found["14"] == Status("FAILED", "3:0")
    assert [words[0] for words in slurm.asked] == ["squeue", "sacct"]


def test_a_squeue_that_knows_none_of_the_jobs_is_no_error() -> None:
    slurm = Scripted({"sacct": "7|COMPLETED|0:0\n"}, {"squeue": "slurm_load_jobs error: Invalid job id specified"})
    assert slurm.states(["7"]) == {"7": Status("COMPLETED", "0:0")}


def test_a_controller_that_cannot_be_reached_is_an_error() -> None:
    slurm = Scripted({}, {"squeue": "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"})
    with pytest.raises(BackendCommandError, match="Unable to contact"):
        slurm.states(["7"])


@pytest.mark.parametrize(("said", "asked"), [("Slurm accounting storage is disabled", 1), ("sacct: not found", 1), ("Connection refused", 2)])
def test_a_sacct_that_will_never_help_is_asked_once(said: str, asked: int) -> None:
    slurm = Scripted({}, {"sacct": said})
    assert [slurm.states(["7"])["7"].state for _ in range(2)] == ["UNKNOWN", "UNKNOWN"]
    assert [words[0] for words in slurm.asked].count("sacct") == asked


def test_what_a_login_shell_prints_besides_is_no_state() -> None:
    assert Scripted({"squeue": "Welcome!\n12|RUNNING|0:0|None|\n"}).states(["12"])["12"].state == "RUNNING"


def test_very_many_jobs_are_asked_for_in_several_lines() -> None:
    slurm = Scripted({})
    slurm.states([str(number) for number in range(JOBS_A_QUESTION + 1)])
    assert [words[0] for words in slurm.asked] == ["squeue", "squeue", "sacct", "sacct"]


def test_many_jobs_are_cancelled_by_one_scancel() -> None:
    slurm = Scripted({})
    slurm.cancel(["12", "13_4"])
    assert slurm.asked == [("scancel", "--quiet", "12", "13_4")]


def test_the_size_of_arrays_is_that_of_the_configuration() -> None:
    assert Scripted({"scontrol": "MaxArraySize            = 5001\nMaxJobCount = 9\n"}).max_array() == 5001


def test_an_array_is_submitted_with_its_limit() -> None:
    assert sbatch("/a b/s.sh", [0, 1, 2, 5, 7, 8], 3) == ["sbatch", "--parsable", "--array=0-2,5,7-8%3", "/a b/s.sh"]
    assert sbatch("s.sh", (), 0) == ["sbatch", "--parsable", "s.sh"]


@pytest.mark.parametrize(("out", "job"), [("12\n", "12"), ("motd\n12;alpha\n", "12"), ("Submitted batch job 12\n", None), ("", None)])
def test_the_id_is_found_in_what_sbatch_prints(out: str, job: str | None) -> None:
    assert submitted(out) == job
