"""The local backend's submissions: taken once, also when the controller goes before it has replied."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from slurm.model.errors import Unreachable
from slurm.net.client import Connection
from slurm.sdk.backends import local
from slurm.sdk.backends.disk import SharedDisk
from slurm.sdk.backends.local import LocalBackend
from slurm.sdk.errors import BackendError, BackendTimeout, SubmissionError

SCRIPT = "#!/bin/bash\n#SBATCH --job-name=j\n#SBATCH --export=PATH\ntrue\n"


class Going(LocalBackend):
    """Its controller goes during the first submission, having taken it or not, and is back after `away` more questions."""

    def __init__(self, taken: bool, away: int = 2) -> None:
        super().__init__({"HOME": "/", "PATH": "/bin", "OTHER": "1", "SLURM_JOB_ID": "3"})
        self.jobs: dict[str, int] = {}
        self.taken, self.away = taken, away
        self.sent: list[Mapping[str, Any]] = []

    def _ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        self.sent.append(message)
        if len(self.sent) == 1:
            if self.taken:
                self.jobs[message["key"]] = 7
            raise local._Unsure("slurmctld went")
        if len(self.sent) <= 1 + self.away:
            raise BackendError("no controller")
        return {"job_id": self.jobs.setdefault(message["key"], 8)}


def test_a_submission_that_was_taken_before_the_controller_went_is_not_made_twice(tmp_path: Path) -> None:
    backend = Going(taken=True)
    assert backend.submit(SCRIPT, str(tmp_path / "s.sh"), {}) == "7"
    assert len({message["key"] for message in backend.sent}) == 1 and len(backend.sent) == 4


def test_one_that_was_not_taken_is_handed_in_again(tmp_path: Path) -> None:
    backend = Going(taken=False)
    assert backend.submit(SCRIPT, str(tmp_path / "s.sh"), {}) == "8"


def test_two_submissions_have_two_keys(tmp_path: Path) -> None:
    backend = Going(taken=False, away=0)
    for _ in range(2):
        backend.submit(SCRIPT, str(tmp_path / "s.sh"), {})
    assert len({message["key"] for message in backend.sent}) == 2


def test_a_controller_that_stays_away_leaves_a_clear_error(tmp_path: Path) -> None:
    backend = Going(taken=True, away=10**6)
    backend.unsure_seconds = 0.3
    with pytest.raises(SubmissionError, match=r"whether it did is unknown: no controller.*squeue -o"):
        backend.submit(SCRIPT, str(tmp_path / "s.sh"), {})


class Interrupted(Connection):
    """A connection on which control-C comes before the reply."""

    def __init__(self) -> None:
        self.closed = False

    def ready(self) -> list[tuple[int, bytes]]:
        """Nothing has come yet."""
        return []

    def call(self, message: Mapping[str, Any], timeout: float | None = None) -> dict[str, Any]:
        """Control-C."""
        raise KeyboardInterrupt

    def close(self) -> None:
        """Hung up."""
        self.closed = True


def test_the_reply_to_a_question_that_control_c_ended_is_nobody_elses() -> None:
    backend, connection = LocalBackend({}), Interrupted()
    backend._connection = connection
    with pytest.raises(KeyboardInterrupt):
        backend.states(["1"])
    assert connection.closed and backend._connection is None


class Silent(Interrupted):
    """A connection to a controller that hangs."""

    waited: float | None = 0.0

    def call(self, message: Mapping[str, Any], timeout: float | None = None) -> dict[str, Any]:
        """No reply."""
        self.waited = timeout
        raise Unreachable(message="Socket timed out on send/recv operation")


def test_a_controller_that_hangs_is_not_asked_a_second_time_before_it_is_told() -> None:
    backend, connection = LocalBackend({}), Silent()
    backend._connection = connection
    with pytest.raises(BackendTimeout, match="timed out"):
        backend.states(["1"])
    assert connection.waited == LocalBackend.look_seconds and connection.closed and backend._connection is None


def test_who_stops_a_submission_with_control_c_is_told_how_to_find_the_job(tmp_path: Path) -> None:
    backend = LocalBackend({"HOME": "/", "PATH": "/bin"})
    backend._connection = Interrupted()
    with pytest.raises(KeyboardInterrupt) as stopped:
        backend.submit(SCRIPT, str(tmp_path / "s.sh"), {})
    assert stopped.value.__notes__ == [f"whether the cluster took a job is unknown: if it did, `squeue -o '%A %o'` shows the script {tmp_path}/s.sh"]


def test_what_the_job_gets_of_the_environment_is_what_sbatch_would_send(tmp_path: Path) -> None:
    backend = Going(taken=False)
    backend.submit(SCRIPT, str(tmp_path / "s.sh"), {})
    sent = backend.sent[0]
    assert sent["payload"]["environment"].keys() >= {"PATH", "SLURM_SUBMIT_DIR", "SLURM_EXPORT_ENV"}
    assert not sent["payload"]["environment"].keys() & {"OTHER", "SLURM_JOB_ID"}
    assert sent["request"]["export_env"] == "PATH" and sent["request"]["rlimits"]["nofile"] > 0


def test_all_folders_that_are_made_for_a_job_are_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        SharedDisk().write(f"{tmp_path}/base/task/key/call.pkl", b"x")
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("base", "base/task", "base/task/key", "base/task/key/call.pkl")] == [0o700, 0o700, 0o700, 0o600]
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Not a directory"):
        SharedDisk().write(f"{tmp_path}/file/task/call.pkl", b"x")
