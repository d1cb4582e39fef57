"""The SDK's tree of errors: what can go wrong between a call of a task and its result.

    SdkError
    ├── InvalidOption           @task got an option that sbatch has not, or a value that it cannot take (a ValueError)
    ├── NoCluster               a task was called where no cluster is active (a RuntimeError)
    ├── SubmissionError         the cluster did not take the job
    ├── PackagingError          a way of packaging that cannot be carried out
    ├── BackendError            the cluster cannot be asked
    │   ├── BackendTimeout      … it did not answer in time (a TimeoutError)
    │   ├── BackendCommandError … its command failed
    │   └── LoginRefused        … its login node is not the one it should be, or does not let the user in
    ├── SlurmfileError          a Slurmfile is missing or wrong
    │   ├── SlurmfileNotFoundError, SlurmfileInvalidError, SlurmfileEnvironmentNotFoundError
    └── DownloadError           there is no result to give
        ├── NotFinished         … not yet, within the time given (a TimeoutError)
        ├── ResultUnreadable    … the file is missing, cut or cannot be unpickled here
        ├── ResultUnwritten     … the task returned, but what it returned cannot be pickled, or the disk is full
        └── JobFailed           … the job ended badly; its state says how:
            └── TaskFailed, JobCancelled, JobTimeLimit, JobOutOfMemory, JobNodeFailed, JobPreempted, DependencyFailed

Not here: the errors of the cluster itself (`model.errors`), which come as the cause of these.
"""

from __future__ import annotations

from collections.abc import Mapping


class SdkError(Exception):
    """Something that the SDK can name."""


class InvalidOption(SdkError, ValueError):
    """An option of @task that sbatch has not, or a value that it cannot take."""


class NoCluster(SdkError, RuntimeError):
    """A task was called where no cluster is active."""


class SubmissionError(SdkError):
    """The cluster did not take the job; `script` is what was handed in, `metadata` where it lies."""

    def __init__(self, message: str, *, script: str = "", metadata: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.script = script
        self.metadata = dict(metadata or {})


class PackagingError(SdkError):
    """A way of packaging that is unknown or not carried out yet."""


class BackendError(SdkError):
    """The cluster cannot be asked."""


class BackendTimeout(BackendError, TimeoutError):
    """The cluster did not answer in time."""


class BackendCommandError(BackendError):
    """A Slurm command failed."""


class LoginRefused(BackendError):
    """The login node is not the one it should be, or does not let the user in: asking again does not help."""


class SlurmfileError(SdkError):
    """A Slurmfile is missing or wrong."""


class SlurmfileNotFoundError(SlurmfileError, FileNotFoundError):
    """There is no Slurmfile where one was looked for."""


class SlurmfileInvalidError(SlurmfileError, ValueError):
    """A Slurmfile does not say what it has to."""


class SlurmfileEnvironmentNotFoundError(SlurmfileError, KeyError):
    """A Slurmfile has no such environment."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class DownloadError(SdkError):
    """There is no result to give."""


class NotFinished(DownloadError, TimeoutError):
    """The job did not end within the time given."""


class ResultUnreadable(DownloadError):
    """The result's file is missing, cut, or cannot be unpickled here."""


class ResultUnwritten(DownloadError):
    """The task has returned, but its result could not be written: it cannot be pickled, or the disk does not take it."""


class JobFailed(DownloadError):
    """A job ended badly. `exit_code` as Slurm shows it ("1:0"), `reason` Slurm's word, `stderr` the end of its standard error."""

    def __init__(self, message: str, *, job_id: str = "", state: str = "", exit_code: str = "", reason: str = "", stderr: str = "") -> None:
        super().__init__(message)
        self.job_id = job_id
        self.state = state
        self.exit_code = exit_code
        self.reason = reason
        self.stderr = stderr


class TaskFailed(JobFailed):
    """The task raised, or its program ended with another exit code than 0."""


class JobCancelled(JobFailed):
    """Somebody cancelled the job."""


class JobTimeLimit(JobFailed):
    """The job reached its time limit."""


class JobOutOfMemory(JobFailed):
    """The job used more memory than it had asked for."""


class JobNodeFailed(JobFailed):
    """A node of the job failed or did not boot."""


class JobPreempted(JobFailed):
    """The job had to make room for another."""


class DependencyFailed(JobFailed):
    """A job that this one waited for ended badly, so it never ran."""


class RemoteTraceback(Exception):
    """The traceback of an exception where it was raised; stands as the cause of the exception that `Job.result` raises here."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


def kind_of(state: str, exit_code: str, reason: str, stderr: str) -> type[JobFailed]:
    """The error for a job that ended in this state; what slurmstepd wrote counts where Slurm calls by another name what happened.

    A Slurm that limits memory without cgroups (OverMemoryKill) kills with SIGKILL, and the job is FAILED.
    """
    if state == "CANCELLED" and reason.startswith("Dependency"):
        return DependencyFailed
    if state == "FAILED" and exit_code in _KILLED and _OVER_MEMORY in stderr:
        return JobOutOfMemory
    return BY_STATE.get(state, JobFailed)


_KILLED = frozenset(("", "0:9", "137:0"))
_OVER_MEMORY = "error: Exceeded job memory limit"
UNTOLD = 74
"""Exit status of a job that could write neither a result nor an error (EX_IOERR of sysexits.h)."""
NO_OUTPUT = 53
"""The signal that Slurm names for a job whose files of output its node could not open."""
BY_STATE: dict[str, type[JobFailed]] = {
    "FAILED": TaskFailed, "CANCELLED": JobCancelled, "TIMEOUT": JobTimeLimit, "DEADLINE": JobTimeLimit, "OUT_OF_MEMORY": JobOutOfMemory,
    "NODE_FAIL": JobNodeFailed, "BOOT_FAIL": JobNodeFailed, "PREEMPTED": JobPreempted,
}
"""State in which a job ended → the error it becomes."""
