"""`slurm.api`: the published SDK's backends by their names, and clusters on a backend that only has its methods."""

from __future__ import annotations

import os
import re
import tempfile
from abc import ABC, ABCMeta, abstractmethod
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, BinaryIO

from slurm.sdk.backends import local
from slurm.sdk.backends.backend import DEFAULT_BASE, Backend, array_words
from slurm.sdk.backends.commands import CommandsBackend
from slurm.sdk.backends.disk import SharedDisk
from slurm.sdk.backends.polling import Poll
from slurm.sdk.backends.program import said
from slurm.sdk.errors import BackendCommandError, BackendError, SubmissionError
from slurm.sdk.following.inspection import JobRecord, job_record
from slurm.sdk.following.status import UNKNOWN, Status, normal
from slurm.sdk.published.methods import PublishedMethods

__all__ = ["BackendBase", "LocalBackend", "create_backend", "get_backend_from_config"]

KINDS = ("ssh", "local")


class BackendBase(PublishedMethods, ABC):
    """A backend of the user's own: what has to be written, and what follows from it where jobs see this disk."""

    @abstractmethod
    def submit_job(self, script: str, target_job_dir: str, pre_submission_id: str, account: str | None = None, partition: str | None = None,
                   array_spec: str | None = None) -> str:
        """Submit a script; its id."""

    @abstractmethod
    def get_job_status(self, job_id: str) -> dict[str, Any]:
        """What scontrol would say of a job, at least JobState and ExitCode; BackendCommandError when it is not known."""

    @abstractmethod
    def cancel_job(self, job_id: str) -> bool:
        """End a job."""

    @abstractmethod
    def get_queue(self) -> list[dict[str, Any]]:
        """The queue."""

    @abstractmethod
    def get_cluster_info(self) -> dict[str, Any]:
        """The partitions."""

    def is_remote(self) -> bool:
        """Whether jobs see another disk than this process does."""
        return False

    def close(self) -> None:
        """Let go of connections."""


class LocalBackend(CommandsBackend, metaclass=ABCMeta):
    """A Slurm by its commands on PATH, with the published SDK's arguments."""

    def __init__(self, job_base_dir: str | None = None, env: Mapping[str, str] | None = None, timeout: float = 30,
            script_permissions: int = 0o750) -> None:
        super().__init__({**os.environ, **(env or {})})
        self.env, self.timeout, self.script_permissions = dict(env or {}), timeout, script_permissions
        self.base_dir = job_base_dir or DEFAULT_BASE
        os.makedirs(self.job_base_dir, exist_ok=True)

    def execute_command(self, command: str) -> str:
        """What a shell command line printed; BackendCommandError when it failed."""
        return said(["/bin/sh", "-c", command], {**self.environ}, command, self.timeout)

    def write(self, path: str, data: bytes, mode: int = 0o600) -> None:
        """As on any shared disk; scripts as `script_permissions` says."""
        super().write(path, data, self.script_permissions if path.endswith("_script.sh") else mode)


BackendBase.register(SharedDisk)
LocalBackend.register(local.LocalBackend)


def create_backend(backend_type: str, **keywords: Any) -> Any:
    """A backend by its kind, `ssh` or `local`, and the arguments of that kind; None counts as not given."""
    given = {name: value for name, value in keywords.items() if value is not None}
    if backend_type == "local":
        return LocalBackend(**given)
    if backend_type == "ssh":
        from slurm.sdk.published.ssh import SSHCommandBackend  # it needs asyncssh

        return SSHCommandBackend(**given)
    raise ValueError(f"Invalid backend_type: {backend_type}. Must be one of: {', '.join(KINDS)}")


def get_backend_from_config(config: Mapping[str, Any]) -> Any:
    """The backend that `{"backend": …, "backend_config": {…}}` describes."""
    return create_backend(config.get("backend", "ssh"), **config.get("backend_config", {}))


class Adapted(SharedDisk):
    """A `Backend` out of an object that only has the published SDK's methods.

    Where it is remote, it must have read_file or download_file, too.
    """

    name = "commands"

    def __init__(self, theirs: Any) -> None:
        self.theirs = theirs
        poll = Poll(self.states, 0.2, 5.0)
        self.changes, self.wake = poll.changes, poll.wake

    def __getattr__(self, name: str) -> Any:
        if name == "theirs":
            raise AttributeError(name)  # unpickled, it has nothing yet
        return getattr(self.theirs, name)

    def submit(self, script: str, path: str, options: Mapping[str, str | None], array: Sequence[int] = (), limit: int = 0) -> str:
        """submit_job, with the elements of an array as `0-9%2`."""
        key = os.path.basename(path).removeprefix("slurm_job_").removesuffix("_script.sh")
        spec = "".join(array_words(array, limit)).removeprefix("--array=")
        given = self.theirs.submit_job(script, target_job_dir=os.path.dirname(path), pre_submission_id=key, account=options.get("account"),
                                       partition=options.get("partition"), **({"array_spec": spec} if spec else {}))
        found = re.match(r"\d+", str(given[0] if isinstance(given, tuple) else given))
        if found is None:
            raise SubmissionError(f"submit_job of {type(self.theirs).__name__} returned {given!r}, which is no job id", script=script,
                metadata={"path": path})
        return found[0]

    def states(self, ids: Sequence[str]) -> dict[str, Status]:
        """get_job_status of each, there being no question for all."""
        return {one: self._state(one) for one in ids}

    def cancel(self, ids: Sequence[str]) -> None:
        """cancel_job of each."""
        for one in ids:
            self.theirs.cancel_job(one)

    def ask(self, words: Sequence[str]) -> str:
        """It runs no command of Slurm's."""
        raise BackendError(f"{words[0]} cannot be asked through {type(self.theirs).__name__}")

    def described(self, job_id: str) -> JobRecord:
        """What theirs say of a job."""
        return job_record({"JobId": job_id, **{key: str(value) for key, value in self.theirs.get_job_status(job_id).items()}})

    def get_job_status(self, job_id: str) -> dict[str, Any]:
        """As theirs."""
        return dict(self.theirs.get_job_status(job_id))

    def get_queue(self) -> list[dict[str, Any]]:
        """As theirs."""
        return list(self.theirs.get_queue())

    def get_cluster_info(self) -> dict[str, Any]:
        """As theirs."""
        return dict(self.theirs.get_cluster_info())

    def read(self, path: str) -> BinaryIO:
        """A file, fetched when they are remote."""
        if not self.is_remote():
            return super().read(path)
        with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
            self.theirs.download_file(path, f"{folder}/file")
            with open(f"{folder}/file", "rb") as file:
                return BytesIO(file.read())

    def write(self, path: str, data: bytes, mode: int = 0o600) -> None:
        """A file, sent when they are remote."""
        if not self.is_remote():
            return super().write(path, data, mode)
        with tempfile.NamedTemporaryFile(prefix="slurm-") as file:
            file.write(data)
            file.flush()
            os.chmod(file.name, mode)
            self.theirs.upload_file(file.name, path)

    def is_remote(self) -> bool:
        """As theirs; one that does not say is not."""
        return bool(getattr(self.theirs, "is_remote", bool)())

    def close(self) -> None:
        """Let go, where they can."""
        getattr(self.theirs, "close", _nothing)()

    def _state(self, job: str) -> Status:
        try:
            told = self.theirs.get_job_status(job)
        except BackendCommandError:
            return Status(UNKNOWN)
        return Status(normal(str(told.get("JobState", ""))), str(told.get("ExitCode", "")), str(told.get("Reason", "")))


def ours(backend: Any) -> Backend:
    """A backend of ours as it is, any other object adapted; TypeError when it has not the published SDK's methods either."""
    if hasattr(backend, "changes"):
        found: Backend = backend
        return found
    if not hasattr(backend, "submit_job"):
        raise TypeError(f"backend={backend!r} is no object that submits jobs; a kind of backend is named by backend_type: "
                        f"{', '.join(KINDS)} …")
    return Adapted(backend)


def _nothing() -> None:
    """Stands for a method that they lack."""
