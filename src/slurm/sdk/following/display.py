"""Progress of jobs while somebody waits for them: bars in a terminal or a notebook, now and then a line of text elsewhere. Only shown when
asked for.

A bar for each array, for the other jobs of each name, and for each task that a workflow has submitted, which its folder tells. How
they look: bars by rich in a terminal or a notebook, plain lines at growing intervals elsewhere.
"""

from __future__ import annotations

import json
import os
import shlex
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from slurm.model.states import JobState
from slurm.sdk.backends.backend import Distant
from slurm.sdk.calls.folder import CALLS, JobFiles
from slurm.sdk.calls.pickling import Promise
from slurm.sdk.errors import BackendError
from slurm.sdk.following.status import UNKNOWN, Status

FIRST_LINE_SECONDS, LAST_LINE_SECONDS, GROWTH = 2.0, 60.0, 1.6
"""Between plain lines: at first, at most, and how it grows."""
WIDE = 120
"""Columns from which on states are written out, with rates; below, states are squeue's short ones."""
COLOURS = {"COMPLETED": "green", "RUNNING": "cyan", "PENDING": "dim"}
"""Of all other states: red when a job has ended in them."""


class Count(NamedTuple):
    """What one bar shows."""

    title: str
    states: Counter[str]
    total: int

    @property
    def ended(self) -> int:
        """How many have ended, well or badly."""
        return sum(count for state, count in self.states.items() if Status(state).finished)


class Bars:
    """The display; `console` is standard error unless given."""

    def __init__(self, console: Any = None) -> None:
        self._console = console
        self._live: Any = None
        self._bars: dict[str, Any] = {}
        self._first: dict[str, tuple[float, int]] = {}  # title → when it was first seen, and how many had ended then
        self._said: list[str] = []
        self._due = 0.0
        self._interval = FIRST_LINE_SECONDS
        self._counts: Sequence[Count] = ()

    def start(self) -> None:
        """Begin to show."""
        from rich.console import Console

        console = self._console = self._console or Console(stderr=True)
        self._due = time.monotonic() + self._interval
        if draws(console):
            self._live = _live(console)
            self._live.start()

    def show(self, counts: Sequence[Count]) -> None:
        """Show these numbers."""
        self._counts = counts
        now = time.monotonic()
        for count in counts:
            self._first.setdefault(count.title, (now, count.ended))
        if self._live is None:
            if now >= self._due and self._say():
                self._interval = min(LAST_LINE_SECONDS, self._interval * GROWTH)
                self._due = now + self._interval
            return
        for count in counts:
            if count.title not in self._bars:
                self._bars[count.title] = self._live.add_task(count.title, total=count.total, states="", rate="")
            self._live.update(self._bars[count.title], completed=count.ended, total=count.total,
                states=_coloured(count, self._console.width < WIDE), rate=self._rate(count))

    def stop(self) -> None:
        """Leave the last numbers there."""
        if self._live is None:
            self._say()
        else:
            self._live.stop()

    def _say(self) -> bool:
        lines = [self._line(count) for count in self._counts]
        if lines == self._said:
            return False
        for line in lines:
            if line not in self._said:
                self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        self._said = lines
        return True

    def _line(self, count: Count) -> str:
        states = ", ".join(f"{number} {state.lower()}" for state, number in _ordered(count))
        rate, left = self._rate(count), self._left(count)
        return f"{count.title}: {count.ended}/{count.total} ended ({states})" + (f", {rate}" if rate else "") + (f", about {left} left"
            if left else "")

    def _speed(self, count: Count) -> float:
        """How many have ended a second since this display began."""
        since, before = self._first[count.title]
        seconds = time.monotonic() - since
        return (count.ended - before) / seconds if seconds > 0.5 else 0.0

    def _rate(self, count: Count) -> str:
        speed = self._speed(count)
        return ("" if speed <= 0 else f"{speed:.1f}/s" if speed >= 1 else f"{speed * 60:.1f}/min" if speed * 60 >= 1
            else f"{speed * 3600:.1f}/h")

    def _left(self, count: Count) -> str:
        speed = self._speed(count)
        if speed <= 0 or count.ended >= count.total:
            return ""
        seconds = round((count.total - count.ended) / speed)
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def draws(console: Any) -> bool:
    """Whether bars can be drawn on a console of rich's; in a notebook ipywidgets does it."""
    from importlib.util import find_spec

    return bool(console.is_terminal) if not console.is_jupyter else find_spec("ipywidgets") is not None


def _live(console: Any) -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.table import Column

    def text(field: str, markup: bool = True) -> Any:
        return TextColumn(f"{{task.{field}}}", markup=markup, table_column=Column(no_wrap=True))

    def whole() -> Any:
        return Column(no_wrap=True)

    wide = console.width >= WIDE
    columns = [text("description", markup=False), BarColumn(20 if wide else 8, table_column=whole()),
        MofNCompleteColumn(table_column=whole()),
               *([TimeElapsedColumn(table_column=whole())] if wide else []), text("fields[states]"),
               *([text("fields[rate]")] if wide else []),
               TimeRemainingColumn(table_column=whole())]
    return Progress(*columns, console=console, speed_estimate_period=120)


def _ordered(count: Count) -> list[tuple[str, int]]:
    """What is at work first, what waits next, then ends, the good ones first."""
    order = ["RUNNING", "PENDING", "COMPLETED"]
    return sorted(count.states.items(), key=lambda one: (order.index(one[0]) if one[0] in order else 1.5 if not Status(one[0]).finished
        else 3, one[0]))


def _coloured(count: Count, short: bool) -> str:
    found = []
    for state, number in _ordered(count):
        colour = COLOURS.get(state) or ("red" if Status(state).finished else "yellow")
        word = JobState[state].compact if short and state in JobState.__members__ else state.lower()
        found.append(f"[{colour}]{number} {word}[/]")
    return " ".join(found)


LOOK_SECONDS = 0.2
"""How often the display is brought up to date."""
NEAR_SECONDS, FAR_SECONDS = 1.0, 5.0
"""How often the folder of a workflow is looked into, on this disk and behind ssh."""


def show(job: Any, timeout: float | None) -> bool:
    """Show bars until the job or the array has ended, which is True, or the seconds are over."""
    deadline = None if timeout is None else time.monotonic() + timeout
    ids = [one.id for one in job.jobs()]
    with Display([job]) as display:
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if job.cluster.tracker.wait(ids, LOOK_SECONDS if left is None else min(LOOK_SECONDS, left)):
                return True
            if left == 0:
                return False
            display.update()


class _Group(NamedTuple):
    """What one bar is about."""

    title: str
    jobs: Sequence[Any]


class Display:
    """The bars of these jobs, for the time of a `with`."""

    def __init__(self, jobs: Sequence[Promise]) -> None:
        self._groups: list[_Group] = []
        single: dict[str, list[Any]] = {}
        for job in jobs:
            named: Any = job
            if job in job.jobs():
                single.setdefault(named.name, []).append(job)
            else:
                self._groups.append(_Group(f"{named.name} {named.id}", job.jobs()))
        self._groups += [_Group(name if len(some) > 1 else f"{name} {some[0].id}", some) for name, some in single.items()]
        self._parents = [job for group in self._groups for job in group.jobs if _may_have_children(job)]
        self._children: dict[str, _Group] = {}
        self._looked = 0.0
        self._updated = 0.0
        self._bars = Bars()

    def __enter__(self) -> Display:
        self._bars.start()
        self.update()
        return self

    def __exit__(self, *reason: object) -> None:
        self._looked = 0.0
        try:
            self.update()
        finally:
            self._bars.stop()

    def update(self, seldom: bool = False) -> None:
        """Bring all bars up to date; `seldom`: unless that was done just now."""
        now = time.monotonic()
        if seldom and now - self._updated < LOOK_SECONDS:
            return
        self._updated = now
        try:
            self._look(now)
            self._bars.show([Count(group.title, _states(group.jobs), len(group.jobs))
                for group in (*self._groups, *self._children.values())])
        except BackendError:
            # The tracker says that the cluster is away, and for how long it is waited for.
            return

    def _look(self, now: float) -> None:
        """Find the children that workflows have submitted meanwhile."""
        far = any(isinstance(job.cluster.backend, Distant) for job in self._parents)
        if not self._parents or (now - self._looked < (FAR_SECONDS if far else NEAR_SECONDS) and self._looked):
            return
        self._looked = now
        found: dict[str, list[Any]] = {}
        for parent in self._parents:
            for name, children in _children(parent):
                found.setdefault(name, []).extend(children)
        self._children = {name: _Group(f"  {name}", jobs) for name, jobs in found.items()}


def _states(jobs: Sequence[Any]) -> Counter[str]:
    """How many are in which state, in one question for each cluster."""
    counted: Counter[str] = Counter()
    of: dict[int, list[Any]] = {}
    for job in jobs:
        of.setdefault(id(job.cluster.tracker), []).append(job)
    for some in of.values():
        statuses = some[0].cluster.tracker.statuses([job.id for job in some])
        counted.update(_from_files(job) if statuses[job.id].state == UNKNOWN else statuses[job.id].state for job in some)
    return counted


def _from_files(job: Any) -> str:
    """The state of a job that the cluster does not remember, as that of a workflow without a cluster."""
    if isinstance(job.cluster.backend, Distant):
        return UNKNOWN
    return "COMPLETED" if os.path.exists(job.files.result) else "FAILED" if os.path.exists(job.files.error) else "RUNNING"


def _may_have_children(job: Any) -> bool:
    return job.workflow or (not isinstance(job.cluster.backend, Distant) and os.path.isdir(f"{job.files.folder}/tasks"))


def _children(parent: Any) -> Iterator[tuple[str, list[Any]]]:
    """What a workflow has submitted, by the names of the tasks."""
    for name, record in _records(parent):
        if not record.get("chunks"):
            continue  # about to be submitted
        files = JobFiles(record["folder"], record["key"])
        chunks = record["chunks"]
        if chunks[0][2]:
            jobs: list[Any] = [type(parent)(f"{job}_{local}", parent.cluster, files.element(start + local)) for job, start,
                size in chunks for local in range(size)]
        else:
            jobs = [type(parent)(chunks[0][0], parent.cluster, files)]
            if not chunks[0][0][:1].isdigit():  # its result was found in a cache: the cluster has never heard of it
                parent.cluster.tracker.settle(chunks[0][0], Status("COMPLETED", "0:0"))
        yield name, jobs


def _records(parent: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a workflow has noted of its calls (`workflow`), each with the name of its task."""
    folder, backend = f"{parent.files.folder}/{CALLS}", parent.cluster.backend
    if isinstance(backend, Distant):
        said = backend.say(f"cd {shlex.quote(folder)} 2>/dev/null && for one in */*.json; do "
                           'test -f "$one" && printf "%s " "${one%%/*}" && cat "$one" && echo; done; true')
        texts = [line.partition(" ")[::2] for line in said.splitlines() if line.strip()]
    else:
        from glob import escape, glob

        texts = []
        for path in sorted(glob(f"{escape(folder)}/*/*.json")):
            with open(path, encoding="utf-8") as file:
                texts.append((os.path.basename(os.path.dirname(path)), file.read()))
    yield from ((name, json.loads(text)) for name, text in texts)
