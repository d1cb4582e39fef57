"""What Slurm's commands refuse, in words without their names."""

from __future__ import annotations

import pytest

from slurm.sdk.errors import BackendCommandError
from slurm.sdk.following import inspection


@pytest.mark.parametrize(("said", "lines"), [
    ("squeue: error: Invalid user: eve\nsqueue: hint: or none", ["Invalid user: eve", "or none"]),
    ("sbatch: Job 7 to start now", ["Job 7 to start now"]), ("slurm_load_jobs error: Invalid job id specified", ["slurm_load_jobs error: Invalid job id specified"]),
    ("the cluster did not take the job", ["the cluster did not take the job"]), ("", [])])
def test_a_commands_own_name_before_its_words_is_left_out(said: str, lines: list[str]) -> None:
    assert inspection.lines(said) == lines


def test_a_user_or_a_state_that_there_is_not_is_an_error_of_its_own() -> None:
    user = inspection.told(BackendCommandError("squeue: error: Invalid user: eve"))
    assert isinstance(user, inspection.UnknownUser) and str(user) == "there is no user eve"
    state = inspection.told(BackendCommandError("squeue: error: Invalid job state specified: x\nsqueue: error: Valid job states include: pending,running"))
    assert isinstance(state, inspection.UnknownState) and state.valid == ["pending", "running"] and str(state).endswith("valid: pending, running")
    other = BackendCommandError("squeue: error: Access/permission denied")
    assert inspection.told(other) is other
