"""RichLoggerCallback: a line with a bar for each job and array, in a terminal or a notebook; plain lines of text elsewhere."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter
from types import FrameType
from typing import Any

from slurm.sdk.array_job import ArrayJob
from slurm.sdk.callbacks import base
from slurm.sdk.callbacks.base import ExecutionLocus
from slurm.sdk.callbacks.logger import INFO, PLAIN, LoggerCallback
from slurm.sdk.following.display import draws
from slurm.sdk.following.tracker import goes_on
from slurm.sdk.job import Job

PHASES = {
    "PENDING": 0, "PACKAGING": 10, "PACKAGED": 20, "SUBMITTING": 30, "SUBMITTED": 40, "PENDING_SLURM": 45, "CONFIGURING": 50, "RUNNING": 60,
    "COMPLETING": 80}
"""Per cent of a bar that each phase stands for; that of an end is ENDED."""
ENDED = 100


class _Row:
    """One job or array. Of an array the bar is at the mean of its elements."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.bar: Any = None
        self.job: Job[Any] | ArrayJob[Any] | None = None
        self._states: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self.size = 1
        self.slow = False  # whether its packaging is worth a line of text
        self.said = ""

    @property
    def title(self) -> str:
        return f"{self.name} {self.job.id}" if self.job is not None else self.name

    @property
    def left(self) -> bool:
        return sum(count for state, count in self.counts.items() if state not in PHASES) < self.size

    def take(self, element: str, state: str) -> None:
        if element in self._states:
            self.counts[self._states[element]] -= 1
        self._states[element] = state
        self.counts[state] += 1

    def percent(self) -> float:
        phases = sum(PHASES.get(state, ENDED) * count for state, count in self.counts.items())
        return (phases + PHASES["SUBMITTED"] * (self.size - len(self._states))) / self.size

    def text(self) -> str:
        some = [(count, state) for state, count in self.counts.items() if count]
        return ", ".join(state if self.size == 1 else f"{count} {state}" for count, state in some) or "SUBMITTED"


class RichLoggerCallback(LoggerCallback):
    """Shows the phases of jobs on `console` (standard error). While jobs it shows are alive, ctrl-C leaves them alone and ends the program
    with status 0, and ctrl-\\ cancels them; not in notebooks, where ctrl-C keeps its meaning. With `verbose` what packaging says is shown
    too.

    In the jobs it logs as LoggerCallback, with `log_level` and `configure_logging`.
    """

    def __init__(self, *, console: Any = None, poll_interval: float | None = None, verbose: bool = False, log_level: int = INFO,
                 configure_logging: bool = True) -> None:
        super().__init__(poll_interval=poll_interval, log_level=log_level, configure_logging=configure_logging)
        self.verbose = verbose
        self._travelled = False
        self._begin(console)

    def _begin(self, console: Any) -> None:
        self._console = console
        self._progress: Any = None
        self._rows: dict[str, _Row] = {}  # by what the files of a job or an array have in common
        self._new: dict[int, _Row] = {}  # by the thread that submits
        self._lock = threading.RLock()
        self._before: dict[signal.Signals, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        own = ("_console", "_progress", "_rows", "_new", "_lock", "_before")
        return {**{name: value for name, value in super().__getstate__().items() if name not in own}, "_travelled": True}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin(None)

    def update_packaging_output(self, line: str) -> None:
        """Show a line that a build has printed, with `verbose` only."""
        if self.verbose:
            self._out().print(line, markup=False, highlight=False, soft_wrap=True)

    def on_begin_package_ctx(self, ctx: base.PackagingBeginContext) -> None:
        """A new line."""
        with self._lock:
            before = self._new.pop(threading.get_ident(), None)
            if before is not None:
                self._show(before, 0, "not submitted", True)
            row = self._new[threading.get_ident()] = _Row(str(ctx.task))
            row.slow = (ctx.packaging_config or {}).get("type", "auto") not in PLAIN
            self._show(row, PHASES["PACKAGING"], "PACKAGING")

    def on_end_package_ctx(self, ctx: base.PackagingEndContext) -> None:
        """The next phase."""
        self._phase("PACKAGED")

    def on_begin_submit_job_ctx(self, ctx: base.SubmitBeginContext) -> None:
        """The next phase."""
        self._phase("SUBMITTING")

    def on_end_submit_job_ctx(self, ctx: base.SubmitEndContext) -> None:
        """The line gets its number; from now on signals are about the job."""
        with self._lock:
            row = self._new.pop(threading.get_ident(), None) or _Row(ctx.job.name)
            row.job = ctx.job
            row.size = len(ctx.job) if isinstance(ctx.job, ArrayJob) else 1
            self._rows[ctx.pre_submission_id] = row
            self._show(row, row.percent(), "SUBMITTED")
        self._catch()

    def on_job_status_update_ctx(self, ctx: base.JobStatusUpdatedContext) -> None:
        """The bar moves."""
        state = str(ctx.status["JobState"])
        self._state(ctx.job, "PENDING_SLURM" if state == "PENDING" else state)

    def on_completed_ctx(self, ctx: base.CompletedContext) -> None:
        """The bar is full."""
        if ctx.emitted_by == ExecutionLocus.CLIENT:
            self._state(ctx.job, ctx.job_state or "COMPLETED")
            if threading.current_thread() is threading.main_thread():
                self.waited()

    def waited(self) -> None:
        """Give the signals back once nothing is shown any more; only the main thread may."""
        if self._before and not self._rows and threading.current_thread() is threading.main_thread():
            for number, before in self._before.items():
                signal.signal(number, before or signal.SIG_DFL)
            self._before.clear()

    def _phase(self, phase: str) -> None:
        with self._lock:
            row = self._new.get(threading.get_ident())
            if row is not None:
                self._show(row, PHASES[phase], phase)

    def _state(self, job: Job[Any], state: str) -> None:
        with self._lock:
            row = self._rows.get(job.files.array_key)
            if row is None:
                return
            row.take(job.files.key, state)
            self._show(row, row.percent(), row.text(), not row.left)
            if not row.left:
                del self._rows[job.files.array_key]
                if not self._rows and not self._new and self._progress is not None:
                    self._progress.stop()
                    self._progress = None

    def _show(self, row: _Row, percent: float, text: str, last: bool = False) -> None:
        out = self._out()
        if not draws(out):
            if text != row.said and (row.size == 1 or last or not row.counts) and (row.job is not None or row.slow or last):
                row.said = text
                out.print(f"{row.title}: {text}", markup=False, highlight=False, soft_wrap=True)
            return
        if self._progress is None:
            self._progress = _progress(out)
            self._progress.start()
        if row.bar is None:
            row.bar = self._progress.add_task(row.title, total=ENDED, state=text)
        self._progress.update(row.bar, description=row.title, completed=percent, state=text)
        if last:
            self._progress.stop_task(row.bar)
            self._progress.refresh()

    def _out(self) -> Any:
        if self._console is None:
            from rich.console import Console

            self._console = Console(stderr=True)
        return self._console

    def _catch(self) -> None:
        """Take the signals, in the main thread of a program that is no job itself."""
        if self._before or self._travelled or self._out().is_jupyter or threading.current_thread() is not threading.main_thread():
            return
        self._before = {signal.SIGINT: signal.signal(signal.SIGINT, self._detach),
            signal.SIGQUIT: signal.signal(signal.SIGQUIT, self._cancel)}

    def _alive(self) -> list[Job[Any] | ArrayJob[Any]]:
        return [row.job for row in list(self._rows.values()) if row.job is not None]

    def _detach(self, number: int, frame: FrameType | None) -> None:
        jobs = self._alive()
        self._give_way(number, bool(jobs))
        if jobs:
            if self._progress is not None:
                self._progress.stop()
            self._out().print(f"Detached: {goes_on(job.id for job in jobs)}", markup=False, highlight=False, soft_wrap=True)
            sys.exit(0)

    def _cancel(self, number: int, frame: FrameType | None) -> None:
        jobs = self._alive()
        self._give_way(number, bool(jobs))
        if jobs:
            self._out().print(f"Cancelling: {', '.join(job.id for job in jobs)}", markup=False, highlight=False, soft_wrap=True)
            # Not here: what this thread was doing when the signal came may hold what cancelling needs.
            threading.Thread(target=_cancel, args=(jobs,), name="slurm-cancel", daemon=True).start()

    def _give_way(self, number: int, ours: bool) -> None:
        """From now on the signal means again what it meant before; this time too, unless it is ours."""
        signal.signal(number, self._before.get(signal.Signals(number)) or signal.SIG_DFL)
        if not ours:
            os.kill(os.getpid(), number)


def _progress(console: Any) -> Any:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    return Progress(TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)), BarColumn(bar_width=20),
        TimeElapsedColumn(),
                    TextColumn("{task.fields[state]}", markup=False, table_column=Column(no_wrap=True)), console=console)


def _cancel(jobs: list[Job[Any] | ArrayJob[Any]]) -> None:
    for job in jobs:
        job.cancel()
