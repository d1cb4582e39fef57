"""Problem: what a tool answers when it cannot do what it was asked to.

The codes are stable; agents branch on them, people read the message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

from slurm.model.errors import NotFound, NotPermitted, SlurmError, Unreachable, Unsupported
from slurm.notation.errors import NotationError
from slurm.sdk.errors import BackendCommandError, BackendError, BackendTimeout, InvalidOption, LoginRefused, SlurmfileError, SubmissionError
from slurm.sdk.following import inspection
from slurm.sdk.following.inspection import UnknownJob, UnknownName
from slurm.sdk.following.past import NoAccounting

Code = Literal[
    "invalid_arguments", "invalid_job_id", "job_not_found", "invalid_option", "submission_refused", "no_output", "not_permitted",
    "no_cluster",
    "cluster_timeout", "login_refused", "slurmfile_error", "unsupported", "command_failed", "cluster_error", "file_error", "internal_error"]
CODES: tuple[str, ...] = get_args(Code)
_KINDS: list[tuple[type[BaseException], Code]] = [
    (NoAccounting, "unsupported"), (UnknownJob, "job_not_found"), (UnknownName, "invalid_arguments"), (NotationError, "invalid_job_id"),
    (InvalidOption, "invalid_option"),
    (SubmissionError, "submission_refused"),
    (BackendTimeout, "cluster_timeout"), (LoginRefused, "login_refused"), (BackendCommandError, "command_failed"),
    (BackendError, "cluster_error"),
    (SlurmfileError, "slurmfile_error"), (Unreachable, "no_cluster"), (NotFound, "job_not_found"), (NotPermitted, "not_permitted"),
    (Unsupported, "unsupported"), (SlurmError, "cluster_error"), (OSError, "file_error"),
]
"""Error → code; the first that fits."""
_PERMISSION = ("permission denied", "access denied", "not permitted")
_UNREACHABLE = ("unable to contact slurm controller", "no cluster here", "connection refused", "is not on path")
_HINTS: dict[Code, str] = {
    "no_cluster": "on a laptop `slurm up` starts a cluster; else wait until its controller is back",
    "cluster_timeout": "the cluster may be busy: try again later, and ask for less",
    "job_not_found": "list_jobs shows the jobs that the cluster remembers; its records of ended jobs do not last for ever",
    "invalid_job_id": 'ids are texts such as "12", "12_3" (one element of an array) or "12_[1-5]"',
    "login_refused": "the user has to log in by hand once, or add a key; asking again does not help",
    "slurmfile_error": "list_environments shows the environments that the Slurmfile has",
    "invalid_option": "options are those of sbatch with _ for -, such as {\"time\": \"01:00:00\", \"cpus_per_task\": 4, \"mem\": \"8G\"}",
    "not_permitted": "jobs may be changed by their owners only",
}


class Problem(Exception):
    """A refusal with its code; `hint` what to do, `valid` what would have been accepted."""

    def __init__(self, code: Code, message: str, hint: str = "", valid: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.code, self.message, self.valid = code, message, list(valid)
        self.hint = hint or _HINTS.get(code, "")

    def as_json(self) -> dict[str, Any]:
        """What an agent gets."""
        return {"error": {"code": self.code, "message": self.message, "hint": self.hint, "valid": self.valid}}


def problem(error: BaseException) -> Problem | None:
    """The problem that an error stands for; None when it is a mistake of this program."""
    if isinstance(error, Problem):
        return error
    code = next((code for kind, code in _KINDS if isinstance(error, kind)), None)
    if code is None:
        return None
    cause = error.__cause__
    told = cause if isinstance(error, SubmissionError) and isinstance(cause, SlurmError) else error
    first, *rest = told.lines() if isinstance(told, SlurmError) else inspection.lines(str(told)) or [type(told).__name__]
    text = str(error).lower()
    if code in ("cluster_error", "command_failed") and any(words in text for words in _PERMISSION):
        code = "not_permitted"
    if code in ("cluster_error", "command_failed") and (isinstance(cause, Unreachable) or any(words in text for words in _UNREACHABLE)):
        code = "no_cluster"
    if isinstance(error, UnknownName):
        return Problem(code, first, valid=error.valid)
    valid = [error.valid] if isinstance(error, NotationError) and error.valid else []
    return Problem(code, first, "; ".join(line.strip() for line in rest), valid)
