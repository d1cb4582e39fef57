"""What a task raised, from its job to whoever asks for the result: the exception itself where it can travel, always its type, text and
traceback.

Not here: results (`pickling`), and what a job's end without an exception becomes (`errors.BY_STATE`).
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from typing import Any, BinaryIO

from slurm.sdk.calls.folder import whole
from slurm.sdk.calls.pickling import PROTOCOL
from slurm.sdk.errors import ResultUnreadable, TaskFailed

_OURS = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")


def write_error(path: str, error: BaseException, traceback: str) -> None:
    """Write what a task raised; OSError when the disk does not take it."""
    kind = type(error)
    body, problem = _portable(error)
    record = {"exception": body, "type": f"{kind.__module__}.{kind.__qualname__}", "message": text_of(error), "traceback": traceback,
        "problem": problem}
    with whole(path) as file:
        pickle.dump(record, file, PROTOCOL)


def note_where(error: BaseException, environ: Mapping[str, str]) -> None:
    """Tell of a file that was not found by a relative path, in the job's folder, whether there is one from where the job was submitted."""
    name = error.filename if isinstance(error, FileNotFoundError) else None
    job, home = environ.get("JOB_DIR"), environ.get("SLURM_SUBMIT_DIR")
    if not isinstance(name, str) or not name or os.path.isabs(name) or not job or not os.path.exists(job) or not os.path.samefile(job, "."):
        return
    there = f"; there is one in {home}, from where it was submitted" if home and os.path.exists(os.path.join(home, name)) else ""
    error.add_note(f"({name} was looked for in the job's folder, {job}{there}. Relative paths begin there: hand over a whole path, or let "
                   "the task run where the "
                   'program stands, with @task(chdir="."))')


def story(error: BaseException) -> str:
    """The traceback as Python prints it, without the frames of the runner, which come first."""
    import traceback

    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_OURS):
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))


def read_error(file: BinaryIO, job: str, path: str) -> tuple[BaseException, str]:
    """What a task raised, and its traceback; a TaskFailed that names its type where that type cannot be had. `path` is for messages."""
    try:
        record = pickle.load(file)
        text = str(record["traceback"])
    except Exception as error:
        # Half a pickle may raise anything.
        raise ResultUnreadable(
            f"what job {job} raised cannot be read from {path}: {type(error).__name__}: {error}; its standard error (job.stderr()) tells "
            "it too") from error
    problem = record.get("problem", "")
    if record["exception"]:
        try:
            raised = pickle.loads(record["exception"])
            if isinstance(raised, BaseException):
                return raised, text
        except Exception as error:
            # The class may be missing here, or its constructor may refuse; its name and text are still worth raising.
            problem = f"it could not be unpickled here: {type(error).__name__}: {error}"
    said = f"{record['type']}: {record['message']}"
    text += f"\n({problem or 'it could not be pickled'})\n"
    return TaskFailed(f"Job {job} did not succeed. The task raised {said}", job_id=job, state="FAILED", stderr=text), text


def _portable(error: BaseException) -> tuple[bytes, str]:
    """The exception as bytes that have been loaded once, b"" where nothing helps, and why then."""
    try:
        return _loadable(pickle.dumps(error, PROTOCOL)), ""
    except Exception:
        # Constructors that take other arguments than `args`, classes of __main__, attributes that cannot travel: each has its remedy below.
        import cloudpickle
    problem = ""
    for make in (lambda: error, lambda: _Stripped(error)):
        try:
            return _loadable(cloudpickle.dumps(make(), PROTOCOL)), ""
        except Exception as failure:
            # As above; the last one is told.
            problem = f"it could not be pickled there: {type(failure).__name__}: {failure}"
    return b"", problem


def _loadable(body: bytes) -> bytes:
    pickle.loads(body)
    return body


class _Stripped:
    """Pickles as an exception of the same type and text, made without its constructor, with those of its attributes that can travel."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __reduce__(self) -> Any:
        kept = {name: value for name, value in vars(self._error).items() if _travels(value)}
        args = tuple(one for one in self._error.args if _travels(one))
        return _remade, (type(self._error), args if args == self._error.args else (text_of(self._error),), kept)


def _remade(kind: type[BaseException], args: tuple[Any, ...], attributes: Mapping[str, Any]) -> BaseException:
    made = kind.__new__(kind)
    made.args = args
    vars(made).update(attributes)
    return made


def _travels(value: object) -> bool:
    import cloudpickle

    try:
        _loadable(cloudpickle.dumps(value, PROTOCOL))
    except Exception:
        # Whatever the reason, it stays where it is.
        return False
    return True


def text_of(error: BaseException) -> str:
    """The text of an exception, whatever its class does."""
    try:
        return str(error)
    except Exception as problem:
        # A __str__ of the user's that fails hides the error it belongs to.
        return f"(its text cannot be had: {type(problem).__name__}: {problem})"
