"""Job: one submitted call of a task. Its state comes from the cluster's tracker, its result from its folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Generic, NoReturn, TextIO, TypeVar

from slurm.sdk import errors
from slurm.sdk.backends.backend import Backend, File
from slurm.sdk.calls import dependencies
from slurm.sdk.calls.folder import JobFiles, whole
from slurm.sdk.calls.pickling import RESULT, Promise, Reference, load_result
from slurm.sdk.calls.raised import read_error
from slurm.sdk.errors import BackendError, JobFailed, NotFinished, RemoteTraceback, ResultUnreadable, SdkError
from slurm.sdk.following.status import UNKNOWN, JobSnapshot, Status
from slurm.sdk.following.tracker import Home

T = TypeVar("T")
SHARED_DISK_SECONDS = 5.0
"""How long a result may take to show up on this machine after its job has completed elsewhere."""
TAIL = 2000


class Job(Promise, Generic[T]):
    """A submitted call. Handed to another task as an argument, at any depth, it becomes its result there.

    `name` is the job's name, `files` where everything of it lies, `stdout_path` and `stderr_path` what it writes. `await job` gives its
    result.
    """

    workflow = False
    """Whether it is a workflow's."""
    TERMINAL_STATES = frozenset({*errors.BY_STATE, "COMPLETED"})

    files: JobFiles
    name: str
    stdout_path: str
    stderr_path: str
    cache_key = ""
    """Under what its result is cached; "" where it is not."""
    awaits: Sequence[Promise] = ()
    """Jobs whose end it was submitted to wait for."""
    cached = False
    """Whether the result was found in the cache: then there never was a job."""

    def __init__(self, id: str, cluster: Home | None = None, files: JobFiles | None = None, *, name: str = "",
                 options: Mapping[str, str | None] | None = None, stdout_path: str | None = None, stderr_path: str | None = None,
                 **published: Any) -> None:
        """A job that exists. Without `files`, the cluster is asked where it lies when that is needed.

        A path that is "" is asked for too, one that is None lies beside the other files.

        `target_job_dir`, `pre_submission_id`, `task_func`, `args`, `kwargs`, `sbatch_options`, `backend` and `on_completed` are taken as
        the published SDK does.
        """
        if not isinstance(id, str) or not id.strip():
            raise ValueError(f"a job has an id such as '12' or '12_3', not {id!r}")
        self._id = id
        self.sbatch_options = dict(options or {})
        self.remember(None, (), {})
        if published or cluster is None:
            from slurm.sdk.published.questions import taken  # a form of the published SDK, which few use

            cluster, files = taken(self, cluster, files, published)
        self.cluster = cluster
        self.created_at = time.time()
        if files is not None:
            self.files, self.name = files, name
            if stdout_path != "":
                self.stdout_path = stdout_path or files.stdout
            if stderr_path != "":
                self.stderr_path = stderr_path or files.stderr

    def __getattr__(self, name: str) -> Any:
        if name not in ("files", "name", "stdout_path", "stderr_path"):
            raise AttributeError(f"'{type(self).__name__}' object has no attribute {name!r}")
        from slurm.sdk.published.questions import located  # a name of the published SDK, which few call

        vars(self).update(located(self.cluster, self.id))
        return vars(self)[name]

    def __getstate__(self) -> dict[str, Any]:
        """What was called with what stays here: functions of a main script and large arguments would not travel with a job's id."""
        return {**vars(self), "task_func": None, "args": (), "kwargs": {}}

    def remember(self, task: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Keep in `task_func`, `args` and `kwargs` what was called with what: that of a job which another program submitted is not
        known."""
        self.task_func, self.args, self.kwargs = task, args, kwargs

    @property
    def id(self) -> str:
        """As Slurm knows it: "12", "12_3" in an array. Of a job that was tried again the latest attempt's."""
        home = vars(self).get("cluster")
        return self._id if home is None else home.tracker.current(self._id)

    @property
    def attempts(self) -> list[str]:
        """The ids under which it was submitted, the first one first: more than one when it was tried again on another node, with more
        memory …"""
        return self.cluster.tracker.attempts(self._id)

    def status(self) -> str:
        """The state in Slurm's words: PENDING, RUNNING, COMPLETED, FAILED …; UNKNOWN when the cluster has forgotten the job."""
        return self._status().state

    def done(self) -> bool:
        """Whether it has ended, well or badly."""
        return self._status().finished

    def wait(self, timeout: float | None = None, poll_interval: float | None = None, *, progress: bool = False) -> bool:
        """Wait for the end, at most `timeout` seconds; True when the job has ended well. What else it may be, `status` says.

        `poll_interval` is taken for the published SDK's sake: news comes by itself. `progress` as in `result`.
        """
        return self._wait(timeout, progress) and self.is_successful()

    def result(self, timeout: float | None = None, *, progress: bool = False) -> T:
        """What the task returned. What it raised is raised here, with its own type and with the traceback from the job as its cause.

        NotFinished (a TimeoutError) after `timeout` seconds; a JobFailed of the kind that its state names when the job ended badly
        otherwise. `progress` shows a bar meanwhile, of a workflow one for each task that it submits.
        """
        status = self._ended(timeout, progress)
        if status.successful or status.state == UNKNOWN:
            return self._value(status)
        raised = self._raised() if status.state == "FAILED" else None
        if raised is None:
            raise self._failure(status)
        self._raise(*raised)

    def get_result(self, timeout: float | None = None) -> T:
        """As `result`, but every failure is a DownloadError, what the task raised being its cause: the published SDK's contract."""
        try:
            return self.result(timeout)
        except Exception as error:
            # What a task raises may be anything, an error of this package too: a workflow whose child failed raises the child's.
            if isinstance(error, SdkError) and not (isinstance(error.__cause__, RemoteTraceback)
                    and getattr(error, "job_id", "") != self.id):
                raise
            raise self._failure(self._status(), f"{type(error).__name__}: {error}") from error

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What `result` would raise, or None."""
        try:
            self.result(timeout)
        except NotFinished:
            raise
        except BaseException as error:
            # The task's exception is what was asked for.
            return error
        return None

    def rank_results(self, timeout: float | None = None) -> list[Any]:
        """What each task of a job with several tasks returned, by rank; `result` is that of rank 0."""
        first = self.result(timeout)
        found: list[Any] = [first]
        while True:
            path = self.files.rank_result(len(found))
            try:
                with self.cluster.backend.read(path) as file:
                    found.append(load_result(file, path, self.id))
            except FileNotFoundError:
                return found

    def cancel(self) -> bool:
        """End the job; whether the cluster took the wish. A job that has ended already stays as it is."""
        if self._status().finished:
            return False
        self.cluster.tracker.cancel([self.id])
        return True

    def stdout(self) -> str:
        """What it has written to standard output so far."""
        return self._text(self.stdout_path)

    def stderr(self) -> str:
        """What it has written to standard error so far."""
        return self._text(self.stderr_path)

    def download(self, name: str, to: str | os.PathLike[str] = ".") -> Any:
        """Copy a file from the job's folder, such as one that its task wrote there, near or over ssh; the Path of the copy.

        `to` is a folder that is there, or the name of the copy, which appears whole. FileNotFoundError when there is no such file.
        """
        from pathlib import Path  # no job needs them
        from shutil import copyfileobj

        target = Path(to, name.rpartition("/")[2]) if Path(to).is_dir() else Path(to)
        with self.cluster.backend.read(f"{self.files.folder}/{name}") as file, whole(str(target), 0o666) as copy:
            copyfileobj(file, copy, 1 << 20)
        return target

    def logs(self, *, follow: bool = True, stderr: bool = False, lines: int | None = None) -> Iterator[str]:
        """The lines that it writes to standard output, or error, until it has ended; without `follow` those that are there.

        `lines` is how many of those that are there are given, all unless said. Needs no thread and nothing of the cluster but its news.
        """
        from slurm.sdk.following import logs  # only who asks for it needs it

        return logs.lines(self.cluster, [self.written(stderr=stderr)], follow=follow, last=lines)

    def stream(self, output: TextIO | None = None, *, stderr: bool = False, follow: bool = True, lines: int | None = None) -> None:
        """Write what `logs` gives to a text file, standard output unless said, as it comes: half a line too, as progress bars print
        them."""
        from slurm.sdk.following import logs  # only who asks for it needs it

        logs.stream(self.cluster, [self.written(stderr=stderr)], output, follow=follow, last=lines)

    def written(self, *, stderr: bool = False, prefix: str = "") -> File:
        """The file of its output or errors, with what is to stand before each line of it when it is shown among others."""
        return File(self.id, self.stderr_path if stderr else self.stdout_path, prefix)

    def script(self) -> str:
        """The batch script."""
        return self._text(self.files.script)

    def explain(self) -> str:
        """Why it waits, what would start it and when, in plain words; a real Slurm tells less of that than ours."""
        from slurm.render.explanation import lines  # only who asks for it needs it
        from slurm.sdk.following.explaining import explanation  # it needs msgspec

        return "\n".join(lines(explanation(self.cluster.backend, self.id)))

    def add_done_callback(self, told: Callable[[Job[T]], object]) -> None:
        """Call `told(job)` when the job has ended, from another thread; at once when it has."""
        self.cluster.tracker.when_done(self.id, lambda: _tell(told, self))

    def __await__(self) -> Generator[Any, None, T]:
        return self._awaited().__await__()

    async def _awaited(self) -> T:
        import asyncio  # most programs, and all jobs, do without

        await self.end()
        return await asyncio.get_running_loop().run_in_executor(None, self.result, 0)

    async def end(self) -> Status:
        """Wait for the end in a coroutine, and only for that: how it ended. BackendError when the cluster stays away."""
        import asyncio

        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def settle(lost: BackendError | None) -> None:
            if not ended.done():
                ended.set_result(None) if lost is None else ended.set_exception(lost)

        def told(lost: BackendError | None = None) -> None:
            with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits
                loop.call_soon_threadsafe(settle, lost)

        self.cluster.tracker.when_done(self.id, told, told)
        try:
            await ended
        finally:
            self.cluster.tracker.forget(self.id, told)
        return self._status()

    # The published SDK's names.

    def get_status(self) -> dict[str, str]:
        """What `scontrol show job` says, by its keys, or accounting once that has forgotten the job; BackendError when both have.

        Each time asked anew.
        """
        from slurm.sdk.published.questions import status  # a name of the published SDK, which few call

        return status(self)

    def snapshot(self, tail_lines: int = 80) -> JobSnapshot:
        """How it stands now, with the last lines that it has written."""
        from slurm.sdk.published.questions import snapshot  # a name of the published SDK, which few call

        return snapshot(self, tail_lines)

    def tail(self, *, follow: bool = True, stderr: bool = False, lines: int = 10, output: TextIO | None = None,
            poll_interval: float = 1.0) -> None:
        """As `stream`, beginning with the last lines. `poll_interval` is taken for the published SDK's sake."""
        self.stream(output, stderr=stderr, follow=follow, lines=lines)

    def is_running(self) -> bool:
        """Whether it runs now."""
        return self.status() == "RUNNING"

    def is_completed(self) -> bool:
        """The same as `done`."""
        return self.done()

    def is_successful(self) -> bool:
        """Whether it has ended well."""
        return self._status().successful

    get_stdout = stdout
    get_stderr = stderr
    get_script = script

    @property
    def target_job_dir(self) -> str:
        """The job's folder."""
        return self.files.folder

    @property
    def pre_submission_id(self) -> str:
        """What the names of its files have in common."""
        return self.files.key

    @property
    def result_path(self) -> str:
        """Where the result lies once the job has ended well."""
        return self.files.result

    @property
    def started_at(self) -> float | None:
        """When it began to run, in seconds since the epoch; None while it waits, and where nobody knows any more. The cluster is asked."""
        from slurm.sdk.published.questions import moment  # a name of the published SDK, which few call

        return moment(self, "StartTime")

    @property
    def finished_at(self) -> float | None:
        """When it ended, as `started_at`."""
        from slurm.sdk.published.questions import moment  # a name of the published SDK, which few call

        return moment(self, "EndTime")

    @property
    def backend(self) -> Backend:
        """How its cluster is reached."""
        return self.cluster.backend

    def jobs(self) -> list[Job[Any]]:
        """Itself."""
        return [self]

    def reference(self) -> Reference:
        """How the result is found from within another job."""
        return RESULT, self.id, self.files.result

    def __repr__(self) -> str:
        return f"Job(id={self.id!r}, name={self.name!r})"

    def _status(self) -> Status:
        return self.cluster.tracker.status(self.id)

    def _wait(self, timeout: float | None, progress: bool) -> bool:
        if progress:
            from slurm.sdk.following.display import show  # only who wants bars needs it

            return show(self, timeout)
        return self.cluster.tracker.wait([self.id], timeout)

    def _ended(self, timeout: float | None, progress: bool) -> Status:
        if not self._wait(timeout, progress):
            status = self._status()
            why = f": {self._waits()}" if status.state == "PENDING" else ""
            raise NotFinished(f"job {self.id} ({self.name}) did not reach a terminal state within timeout={timeout} s: it is "
                              f"{status.state}{why}")
        return self._status()

    def _waits(self) -> str:
        """Why it waits, in words; the cluster is asked."""
        from slurm.sdk.following.status import sentence  # only for a wait that was too long

        return sentence(self.cluster.backend.states([self.id])[self.id])

    def _value(self, status: Status) -> T:
        """The result, waiting for it where the disk is slower than the cluster's word."""
        deadline = time.monotonic() + (0.0 if status.state == UNKNOWN else SHARED_DISK_SECONDS)
        while True:
            try:
                with self.cluster.backend.read(self.files.result) as file:
                    value: T = load_result(file, self.files.result, self.id)
                    return value
            except FileNotFoundError:
                if time.monotonic() >= deadline:
                    break
                time.sleep(0.05)
        raised = self._raised()
        if raised is not None:
            self._raise(*raised)
        raise ResultUnreadable(
            f"job {self.id} ({self.name}) is {status.state}, but there is no result at {self.files.result}"
            + ("; the cluster no longer remembers how it ended" if status.state == UNKNOWN else ""))

    def _raise(self, error: BaseException, traceback: str) -> NoReturn:
        """Raise what the task raised; what would end this program too, as sys.exit does, only as the cause of a TaskFailed."""
        if isinstance(error, Exception):
            raise error from RemoteTraceback(traceback)
        error.__cause__ = RemoteTraceback(traceback)
        raise self._failure(self._status(), f"the task raised {type(error).__name__}: {error}") from error

    def _raised(self) -> tuple[BaseException, str] | None:
        """What the task raised and where, or None when it wrote nothing."""
        try:
            with self.cluster.backend.read(self.files.error) as file:
                return read_error(file, self.id, self.files.error)
        except FileNotFoundError:
            return None

    def _failure(self, status: Status, raised: str = "") -> JobFailed:
        """The error for a job that ended badly; the cluster is asked once more, for its reason."""
        if not status.reason:
            status = status._replace(reason=self.cluster.backend.states([self.id])[self.id].reason)
        try:
            tail = self.stderr()[-TAIL:].strip()
        except (OSError, SdkError):
            tail = ""  # it never started, so it wrote nothing
        kind = errors.kind_of(status.state, status.exit_code, status.reason, tail)
        lines = [f"Job {self.id} did not succeed. State: {status.state}, Exit Code: {status.exit_code or 'none'}"
                 + (f", Reason: {status.reason}" if status.reason not in ("", "None") else ""),
                 f"job: {self.name}, folder: {self.files.folder}"]
        lines += [f"attempts: {', '.join(self.attempts)}"] if len(self.attempts) > 1 else []
        lines += [note] if (note := self.cluster.tracker.noted(self.id)) else []
        lines += [raised] if raised else []
        if status.exit_code == f"{errors.UNTOLD}:0":
            lines.append("it could write neither its result nor an error into that folder: the disk may be full")
        if status.exit_code.endswith(f":{errors.NO_OUTPUT}"):
            lines.append(f"its node could not open {self.stdout_path} or {self.stderr_path}: their folders have to be there and to be "
                         "writable on every node")
        lines += [f"the end of {self.stderr_path}:", tail] if tail else []
        earlier = self._earlier() if kind is errors.DependencyFailed else None
        lines += [earlier[0]] if earlier is not None else []
        failure = kind("\n".join(lines), job_id=self.id, state=status.state, exit_code=status.exit_code, reason=status.reason, stderr=tail)
        failure.__cause__ = earlier[1] if earlier is not None else None
        return failure

    def _earlier(self) -> tuple[str, BaseException] | None:
        """What failed before it, in a line, and the error of that; None where it is not known."""
        found = dependencies.failed_before(self.awaits)
        return None if found is None else (dependencies.told_of(*found), found[1])

    def _text(self, path: str) -> str:
        if self.cached:
            return ""  # it never ran
        with self.cluster.backend.read(path) as file:
            return file.read().decode(errors="replace")


def _tell(told: Callable[[Job[T]], object], job: Job[T]) -> None:
    told(job)
