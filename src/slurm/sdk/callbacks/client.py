"""The client's side of callbacks: tells those of one cluster of packaging and submission as they happen, and of states and ends from one
thread.

States come from the cluster's tracker. Its thread only hands them on here, so a callback that takes its time keeps nobody from hearing of
his job; who waits for a job goes on once its callbacks have heard of its end.
"""

from __future__ import annotations

import atexit
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from weakref import WeakSet

from slurm.sdk.array_job import ArrayJob
from slurm.sdk.backends.backend import Distant
from slurm.sdk.callbacks import base
from slurm.sdk.callbacks.base import BaseCallback, ExecutionLocus, call, listens, overrides, report
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.calls.raised import text_of
from slurm.sdk.errors import BackendError, RemoteTraceback
from slurm.sdk.following import tracker
from slurm.sdk.following.status import Status
from slurm.sdk.job import Job
from slurm.sdk.packaging import wheel
from slurm.sdk.tasks import SlurmTask

CLIENT = ExecutionLocus.CLIENT
STATUS, COMPLETED, BEGIN, END = "on_job_status_update_ctx", "on_completed_ctx", "on_workflow_begin_ctx", "on_workflow_end_ctx"
OUTPUT = "update_packaging_output"
PATIENCE_SECONDS = 10.0
"""How long one call of a callback may keep those who wait for a job."""
_all: WeakSet[Client] = WeakSet()


class _Watched:
    """A job whose states are told, by all its attempts as one."""

    __slots__ = ("began", "coming", "heard", "job", "started", "status", "workflow")

    def __init__(self, job: Job[Any], workflow: bool) -> None:
        self.job = job
        self.workflow = workflow
        self.status: Status | None = None
        self.coming = ""  # the state that was handed on last
        self.started: float | None = None
        self.began = False
        self.heard: dict[int, float] = {}  # which callback was called when


class Client:
    """Tells the callbacks of one cluster. No call of one keeps those who wait for a job longer than `patience` seconds."""

    def __init__(self, cluster: Any, patience: float = PATIENCE_SECONDS) -> None:
        self._cluster = cluster
        self._patience = patience
        self.after_fork()
        tracker.remember(self)
        if not _all:
            atexit.register(_drain)
        _all.add(self)

    def after_fork(self) -> None:
        """The jobs so far are the parent's: it tells of them."""
        self._changed = threading.Condition()
        self._news: deque[tuple[str, Status]] = deque()
        self._watched: dict[str, _Watched] = {}
        self._alone: dict[str, _Watched] = {}  # those that are no elements of arrays, of which only changes are told
        self._thread: threading.Thread | None = None
        self._since = 0.0  # when the call began that goes on now
        self._late = False  # whether it was said to take too long

    @property
    def callbacks(self) -> Sequence[BaseCallback]:
        """Those of the cluster as they are now."""
        found: Sequence[BaseCallback] = self._cluster.callbacks
        return found

    def packaging(self, task: SlurmTask[..., Any], config: Mapping[str, Any]) -> float:
        """Tell that packaging begins; when it did."""
        now = time.time()
        call(self.callbacks, CLIENT, "on_begin_package_ctx", base.PackagingBeginContext(task, dict(config), self._cluster, now))
        return now

    def builds(self) -> AbstractContextManager[None]:
        """While this lasts, what builds say is told to the callbacks with a method `update_packaging_output`."""
        listening = [callback for callback in self.callbacks if getattr(callback, OUTPUT, None) is not None]
        return wheel.heard(lambda line: _said(listening, line)) if listening else nullcontext()

    def packaged(self, task: SlurmTask[..., Any], result: object, began: float) -> None:
        """Tell that the packaging that began then has ended."""
        now = time.time()
        call(self.callbacks, CLIENT, "on_end_package_ctx", base.PackagingEndContext(task, result, self._cluster, now, now - began))

    def submitting(self, task: SlurmTask[..., Any], files: JobFiles, options: Mapping[str, Any], packaging: object) -> None:
        """Tell that a job or an array is about to be handed in."""
        call(self.callbacks, CLIENT, "on_begin_submit_job_ctx", base.SubmitBeginContext(
            task, dict(options), files.array_key, files.folder, self._cluster, packaging, self._cluster.backend_type))

    def submitted(self, task: SlurmTask[..., Any], job: Job[Any] | ArrayJob[Any], options: Mapping[str, Any]) -> None:
        """Tell that it was taken, and from now on how it stands."""
        call(self.callbacks, CLIENT, "on_end_submit_job_ctx", base.SubmitEndContext(
            job, job.id, job.files.array_key, job.files.folder, dict(options), self._cluster, backend_type=self._cluster.backend_type))
        hooks = (STATUS, COMPLETED, BEGIN, END) if task.workflow else (STATUS, COMPLETED)
        if not listens(self.callbacks, *hooks):
            return
        jobs = [job] if isinstance(job, Job) else list(job)
        with self._changed:
            new = {one.attempts[0]: _Watched(one, task.workflow) for one in jobs}
            self._watched.update(new)
            self._alone.update(new if isinstance(job, Job) else {})
        self._cluster.tracker.listener = self
        self._cluster.tracker.follow([one.id for one in jobs])
        # What is known already is not told again.
        self.news(self._cluster.tracker.known(new))

    def child(self, around: Any, task: SlurmTask[..., Any], job: Job[Any] | ArrayJob[Any]) -> None:
        """Tell that the workflow `around` has submitted a child."""
        call(self.callbacks, CLIENT, "on_workflow_task_submitted_ctx", base.WorkflowTaskSubmitContext(
            around.workflow_job_id, around.workflow_job_dir, around.name, job.id, Path(job.files.folder), task.name, task.workflow,
            time.time(),
            self._cluster))

    def ships(self, task: SlurmTask[..., Any]) -> bool:
        """Whether jobs of this task need any of the callbacks."""
        return any(base.travels(callback, task.workflow) for callback in self.callbacks)

    def parcel(self, task: SlurmTask[..., Any]) -> bytes:
        """Those that jobs of this task need."""
        return base.pack(self.callbacks, task.workflow)

    def news(self, found: Mapping[str, Status]) -> None:
        """Take what the tracker has heard; whoever it is of interest to is told from this one's own thread."""
        with self._changed:
            fresh = [(job, status) for job, status in found.items() if job in self._watched and self._watched[job].coming != status.state]
            for job, status in fresh:
                self._watched[job].coming = status.state
            self._news.extend(fresh)
            if (fresh or self._watched) and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._run, name="slurm-callbacks", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def caught_up(self, ids: Iterable[str]) -> None:
        """Return once the callbacks have heard of the ends of these jobs, which have ended."""
        if threading.current_thread() is self._thread:
            return
        wanted = set(ids)
        with self._changed:
            while self._thread is not None and self._thread.is_alive() and not wanted.isdisjoint(self._watched):
                left = self._patience - (time.monotonic() - self._since if self._since else 0.0)
                if left <= 0:
                    if not self._late:
                        print(f"slurm: a callback has been at work for {self._patience:g} s; not waiting for it", file=sys.stderr,
                            flush=True)
                    self._late = True
                    break
                self._changed.wait(left)
        for callback in self.callbacks:
            callback.waited()

    def drain(self, seconds: float) -> None:
        """Wait until all news has been told, at most so long."""
        with self._changed:
            self._changed.wait_for(lambda: not self._news or self._thread is None or not self._thread.is_alive(), seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._news and not self._watched:
                    self._thread = None
                    return
                if not self._news:
                    due = min((when for when, _, _ in self._repeating()), default=None)
                    self._changed.wait(None if due is None else max(0.0, due - time.monotonic()))
                told = self._news[0] if self._news else None
                self._since, self._late = time.monotonic(), False
            if told is None:
                self._repeat()
                continue
            self._tell(*told)
            with self._changed:
                self._news.popleft()
                self._since = 0.0
                if told[1].finished:
                    self._watched.pop(told[0], None)
                    self._alone.pop(told[0], None)
                self._changed.notify_all()

    def _tell(self, job: str, status: Status) -> None:
        watched = self._watched[job]
        before, watched.status = watched.status, status
        if status.state == "RUNNING" and watched.started is None:
            watched.started = time.time()
        self._update(watched, before.state if before is not None else None, self.callbacks)
        if watched.workflow and not watched.began and status.state != "PENDING":
            watched.began = True
            self._workflow(watched, BEGIN)
        if status.finished:
            if watched.workflow:
                self._workflow(watched, END)
            if listens(self.callbacks, COMPLETED):
                call(self.callbacks, CLIENT, COMPLETED, _completed(watched, status))

    def _update(self, watched: _Watched, before: str | None, callbacks: Sequence[BaseCallback]) -> None:
        assert watched.status is not None
        call(callbacks, CLIENT, STATUS, base.JobStatusUpdatedContext(
            watched.job, watched.job.id, described(watched.job, watched.status), time.time(), before, watched.status.finished))
        now = time.monotonic()
        watched.heard.update((id(callback), now) for callback in callbacks)

    def _workflow(self, watched: _Watched, hook: str) -> None:
        job = watched.job
        raised = _raised(job) if hook == END and watched.status is not None and not watched.status.successful and listens(self.callbacks,
            END) else None
        call(self.callbacks, CLIENT, hook, base.WorkflowCallbackContext(
            job.id, Path(job.files.folder), job.name, None, time.time(), exception=raised, cluster=self._cluster))

    def _repeating(self) -> list[tuple[float, _Watched, BaseCallback]]:
        """When which callback is to hear of which job again."""
        asking = [(seconds, callback) for callback in self.callbacks if (seconds := callback.get_poll_interval()) is not None
                  and callback.should_run_on_client(STATUS) and overrides(callback, STATUS)]
        return [(watched.heard[id(callback)] + seconds, watched, callback) for seconds,
            callback in asking for watched in self._alone.values()
                if watched.status is not None and id(callback) in watched.heard]

    def _repeat(self) -> None:
        with self._changed:
            due = [(watched, callback) for when, watched, callback in self._repeating() if when <= time.monotonic()]
        for watched, callback in due:
            assert watched.status is not None
            self._update(watched, watched.status.state, [callback])


def _said(callbacks: Iterable[BaseCallback], line: str) -> None:
    for callback in callbacks:
        try:
            getattr(callback, OUTPUT)(line)
        except Exception as error:
            # As with hooks: it is the user's code.
            report(callback, OUTPUT, error)


def described(job: Job[Any], status: Status) -> dict[str, Any]:
    """A state as `scontrol show job` names its parts."""
    return {"JobId": job.id, "JobState": status.state, "ExitCode": status.exit_code or "0:0", "Reason": status.reason or "None",
        "JobName": job.name,
            "WorkDir": job.files.folder, "StdOut": job.stdout_path, "StdErr": job.stderr_path}


def _completed(watched: _Watched, status: Status) -> base.CompletedContext:
    job, ended = watched.job, time.time()
    error = None
    # Of the elements of a distant array nothing is fetched one by one: there may be thousands.
    if not status.successful and (job.files.key == job.files.array_key or not isinstance(job.cluster.backend, Distant)):
        error = _raised(job)
        status = status._replace(reason=status.reason or getattr(error, "reason", "") or _reason(job))
    return base.CompletedContext(
        job=job, job_id=job.id, job_dir=job.files.folder, job_state=status.state, exit_code=status.exit_code, reason=status.reason,
        stdout_path=job.stdout_path, stderr_path=job.stderr_path, start_time=watched.started, end_time=ended,
        duration=None if watched.started is None else ended - watched.started, status=described(job, status), result_path=job.files.result,
        error_type=None if error is None else type(error).__name__, error_message=None if error is None else text_of(error),
        traceback=error.__cause__.text if error is not None and isinstance(error.__cause__, RemoteTraceback) else None, emitted_by=CLIENT)


def _raised(job: Job[Any]) -> BaseException | None:
    """What a job that ended badly raised, or the error that says how it ended."""
    try:
        return job.exception(0)
    except Exception as error:
        # The cluster may be away, the file unreadable: that, too, is told.
        return error


def _reason(job: Job[Any]) -> str:
    """Slurm's word for why a job ended, which events do not carry."""
    try:
        return job.cluster.backend.states([job.id])[job.id].reason
    except BackendError:
        return ""


def _drain() -> None:
    """At the end of the program, tell what has been heard."""
    for client in list(_all):
        client.drain(PATIENCE_SECONDS / 2)
