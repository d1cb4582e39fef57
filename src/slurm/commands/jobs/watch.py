"""`slurm jobs watch`: jobs as they begin and end, until all of them have; it exits as they did."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence

from slurm.commands import live, which_cluster
from slurm.commands.embedded.console import Console, Drawing, drawn, laid_out
from slurm.commands.jobs import show, told, wanted
from slurm.commands.live import Picture
from slurm.notation import jobref
from slurm.notation.jobref import JobRef
from slurm.notation.printable import printable
from slurm.sdk.backends.backend import Backend
from slurm.sdk.cluster import Cluster
from slurm.sdk.following import inspection, past
from slurm.sdk.following.ending import covers
from slurm.sdk.following.inspection import QueueRow, UnknownJob
from slurm.sdk.following.status import UNKNOWN

AROUND = 6
"""Lines of a screen that are not rows of the table."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm jobs watch`."""
    which_cluster.arguments(parser, json="print JSON: an object for each change")
    parser.add_argument("filter", metavar="JOB_FILTER", nargs="?", default="",
        help="ids such as 12 or 12_[1-5], or a part of the job's name")
    parser.add_argument("-a", "--account", metavar="NAME", help="jobs of this account")
    parser.add_argument("-u", "--user", metavar="USER", help="this user's jobs")
    parser.add_argument("--all", action="store_true", help="everybody's jobs")
    live.interval(parser)


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Watch until every job that was seen has ended; exit status 0 when all completed, else as the first that did not."""
    refs = wanted.parse([options.filter]) if options.filter[:1].isdigit() else []
    with which_cluster.opened(options) as cluster:
        watching = Watching(cluster, refs, options)
        live.watch(console, watching.look, watching.pause, live.seconds(options, cluster), cluster.patience)
        if not watching.seen:
            if refs and not (options.user or options.account):
                raise UnknownJob(f"the cluster knows no job {options.filter}: it never was, or it ended too long ago")
            console.line(f"No jobs in queue to watch{_condition(options, refs)}.")
        return watching.status()


class Watching:
    """What has been seen of the jobs so far, by id."""

    def __init__(self, cluster: Cluster, refs: Sequence[JobRef], options: argparse.Namespace) -> None:
        self._cluster = cluster
        self._refs = refs
        self._options = options
        self.seen: dict[str, QueueRow] = {}

    def look(self) -> Picture:
        """Ask how they stand now."""
        before, self.seen = self.seen, self._now()
        changed = [row for id, row in self.seen.items() if id not in before or before[id].state != row.state]
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S")
        lines = [f"{stamp[11:]}  {row.id}  {printable(row.name)}  {f'{before[row.id].state} → ' if row.id in before else ''}{row.state}"
                 f"{f'  {row.nodelist}' if row.nodelist else ''}{f'  ({row.why})' if row.why else ''}" for row in changed]
        return Picture(self._drawing, lines, [{"time": stamp, **told.facts(row)} for row in changed], all(row.status.finished for row in self.seen.values()))

    def pause(self, seconds: float) -> None:
        """Wait for a while, not longer than until all have ended."""
        waiting = [row.id for row in self.seen.values() if not row.status.finished and "[" not in row.id]
        if len(waiting) == len([row for row in self.seen.values() if not row.status.finished]):
            self._cluster.tracker.wait(waiting, seconds)
        else:
            time.sleep(seconds)

    def status(self) -> int:
        """What to exit with: asks how the first job ended that did not end well."""
        for row in self.seen.values():
            if row.state != "COMPLETED":
                return told.shell_status([row.state], [_code(self._cluster.backend, row.id)])
        return 0

    def _now(self) -> dict[str, QueueRow]:
        ask, options = self._cluster.backend.ask, self._options
        users = [options.user] if options.user else []
        if self._refs:
            ids = list(dict.fromkeys(str(ref.job) for ref in self._refs))
            single = any(ref.tasks is not None for ref in self._refs)
            rows = [row for row in inspection.queue(ask, states=wanted.KNOWN, ids=ids, elements=single, users=users)
                    if any(covers(ref, row) for ref in self._refs)]
        else:
            rows = inspection.queue(ask, mine=not (options.all or options.user or options.account), users=users)
            rows = [row for row in rows if options.filter in row.name]
        now = {row.id: row for row in rows if options.account in (None, row.account)}
        return {**self._ended({id: row for id, row in _each(self.seen, now) if id not in now}), **now}

    def _ended(self, gone: Mapping[str, QueueRow]) -> dict[str, QueueRow]:
        """How those stand that the queue no longer shows."""
        left = [id for id, row in gone.items() if not row.status.finished]
        bases = list(dict.fromkeys(wanted.parted(id)[0] for id in left))
        rows = {row.id: row for row in inspection.queue(self._cluster.backend.ask, states=wanted.KNOWN, ids=bases,
            elements=True)} if left else {}
        return {id: rows.get(id, row._replace(state=UNKNOWN)) if id in left else row for id, row in gone.items()}

    def _drawing(self) -> Drawing:
        import shutil

        rows = sorted(self.seen.values(), key=lambda row: (row.status.finished, row.state == "PENDING"))
        if len(rows) == 1 and self._refs and not rows[0].status.finished:
            return laid_out(show.sheet(wanted.records(self._cluster.backend, self._refs[0])[0]), f"Job {rows[0].id}")
        room = max(3, shutil.get_terminal_size().lines - AROUND)
        more = f", {len(rows) - room} more lines" if len(rows) > room else ""
        title = f"{time.strftime('%H:%M:%S')}  {told.counted(inspection.counts(rows))}{more}"
        return drawn(told.HEADER, [told.line(row) for row in rows[:room]], title, told.FREE)


def _condition(options: argparse.Namespace, refs: Sequence[JobRef]) -> str:
    """What the jobs were narrowed to, for an answer that there is none."""
    named = f"among {options.filter}" if refs else f"with {options.filter} in their name" if options.filter else ""
    return "".join(f" {part}" for part in (f"of {options.user}" if options.user else "",
        f"of account {options.account}" if options.account else "", named) if part)


def _each(seen: Mapping[str, QueueRow], now: Mapping[str, QueueRow]) -> Iterator[tuple[str, QueueRow]]:
    """What was seen, element by element where several waited on one line; but those that wait still."""
    waiting = {row.array_id: jobref.parse(id).tasks or () for id, row in now.items() if "[" in id}
    for id, row in seen.items():
        if "[" not in id:
            yield id, row
        elif id not in now:
            for task in jobref.parse(id).tasks or ():
                if task not in waiting.get(row.array_id, ()):
                    yield f"{row.array_id}_{task}", row._replace(id=f"{row.array_id}_{task}")


def _code(backend: Backend, id: str) -> str:
    try:
        return wanted.records(backend, wanted.single(id))[0].exit_code
    except UnknownJob:
        kept = past.history(backend.ask, [id])
        return kept[0].exit_code if kept else ""
