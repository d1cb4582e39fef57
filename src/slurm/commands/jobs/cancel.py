"""`slurm jobs cancel`: ends jobs, and says of each what really became of it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from slurm.commands import which_cluster
from slurm.commands.embedded.console import Console
from slurm.commands.failure import Failure
from slurm.commands.jobs import told, wanted
from slurm.notation.jobref import JobRef
from slurm.notation.printable import printable
from slurm.sdk.backends.backend import Backend
from slurm.sdk.errors import BackendError
from slurm.sdk.following import inspection
from slurm.sdk.following.ending import covers
from slurm.sdk.following.inspection import QueueRow
from slurm.sdk.following.status import UNKNOWN, Status

PATIENCE = 10.0
"""Seconds within which a job that was told to end mostly has."""
ENDING = 2.0
"""Seconds for its processes to go, which is as good as ended."""
PAUSE, GROWTH = 0.1, 1.5
SHOWN = 20
"""How many jobs are told of one by one when nothing is wrong with them."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm jobs cancel`."""
    which_cluster.arguments(parser, slurmfile_flags=("-s",), json="print JSON")
    parser.add_argument("jobs", metavar="JOB_ID", nargs="*", help="12, 12_3 for an element of an array, 12_[1-5] for several")
    parser.add_argument("--all-mine", action="store_true", help="every job of yours")
    parser.add_argument("-y", "--yes", "-f", "--force", action="store_true", dest="yes", help="do not ask")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Cancel the jobs; exit status 0 when none of those that were named goes on, 1 otherwise."""
    if bool(options.jobs) == options.all_mine:
        raise Failure("InvalidOption", "name the jobs to cancel, or --all-mine" if not options.jobs else "--all-mine takes no job ids")
    refs = wanted.parse(options.jobs)
    with which_cluster.opened(options) as cluster:
        backend = cluster.backend
        before = wanted.rows(backend, refs) if refs else sorted(inspection.queue(backend.ask, mine=True, elements=True), key=wanted.order)
        live = [row for row in before if not row.status.finished]
        if live and not _agreed(options, live, console):
            console.line("Nothing was cancelled.")
            return 1
        outcomes = end(backend, refs, before)
    _tell(console, outcomes)
    return 0 if all(one.done for one in outcomes) else 1


class Outcome(NamedTuple):
    """What became of a job: its states, whether it was this that ended it, and that in words."""

    id: str
    before: str
    after: str
    cancelled: bool
    message: str

    @property
    def done(self) -> bool:
        """Whether it goes on no more."""
        return self.cancelled or (self.after != UNKNOWN and Status(self.after).finished)


def end(backend: Backend, refs: Sequence[JobRef], before: Sequence[QueueRow], patience: float = PATIENCE) -> list[Outcome]:
    """End those of these jobs that have not ended, which are all that `refs` name; what became of each, unknown ones too."""
    live = [row for row in before if not row.status.finished]
    problem = _cancel(backend, refs, live)
    after = _after(backend, live, patience)
    return [*(_outcome(row, after.get(row.id), problem) for row in before),
            *(Outcome(ref.show(), UNKNOWN, UNKNOWN, False, "the cluster knows no such job")
              for ref in refs if not any(covers(ref, row) for row in before))]


def _agreed(options: argparse.Namespace, live: Sequence[QueueRow], console: Console) -> bool:
    """Whether to go on: asked only where somebody can answer."""
    if options.yes or console.json or not (sys.stdin.isatty() and console.fancy):
        return True
    counts = told.counted(inspection.counts(live))
    names = f" ({live[0].id} {printable(live[0].name)})" if len(live) == 1 else ""
    return console.agreed(f"Cancel {counts}{names}?")


def _cancel(backend: Backend, refs: Sequence[JobRef], live: Sequence[QueueRow]) -> str:
    """End them; what the cluster said against it. Whole jobs by their own ids, so that an array is one wish."""
    if not live:
        return ""
    whole = [ref.show() for ref in refs if ref.tasks is None and any(covers(ref, row) for row in live)]
    single = [row.id for row in live if not any(ref.tasks is None and covers(ref, row) for ref in refs)]
    try:
        backend.cancel([*whole, *(single if refs else dict.fromkeys(row.array_id for row in live))])
    except BackendError as error:
        return str(error)
    return ""


def _after(backend: Backend, live: Sequence[QueueRow], patience: float) -> dict[str, Status]:
    """How they stand once all have ended, or when that takes too long."""
    left = [row.id for row in live]
    found: dict[str, Status] = {}
    pause, began = PAUSE, time.monotonic()
    while left:
        found.update(backend.states(left))
        waited = time.monotonic() - began
        left = [id for id in left if not found[id].finished and (found[id].state != "COMPLETING" or waited < ENDING)]
        if not left or waited > patience:
            break
        time.sleep(pause)
        pause *= GROWTH
    return found


def _outcome(row: QueueRow, after: Status | None, problem: str) -> Outcome:
    """What became of a job. One that the cluster no longer knows has ended."""
    if after is None:
        return Outcome(row.id, row.state, row.state, False, f"it had ended already: {row.state}")
    state = "CANCELLED" if after.state == UNKNOWN else after.state
    cancelled = state in ("CANCELLED", "COMPLETING")
    if cancelled:
        message = f"cancelled, it was {row.state}" if state == "CANCELLED" else f"it is ending, it was {row.state}"
    elif after.finished:
        message = f"it ended by itself meanwhile: {state}"
    else:
        message = f"it is still {state}: {problem or 'the cluster took the wish and has not carried it out yet'}"
    return Outcome(row.id, row.state, state, cancelled, message)


def _tell(console: Console, outcomes: Sequence[Outcome]) -> None:
    if console.json:
        console.answer({"jobs": [one._asdict() for one in outcomes]})
        return
    bad = [one for one in outcomes if not one.done]
    done = sum(1 for one in outcomes if one.cancelled)
    for one in outcomes if len(outcomes) <= SHOWN else bad[:SHOWN]:
        console.line(f"{one.id}: {one.message}")
    if len(outcomes) > SHOWN:
        console.line(f"{done} of {len(outcomes)} jobs cancelled" + (f"; {len(bad) - SHOWN} more go on" if len(bad) > SHOWN else ""))
    if not outcomes:
        console.line("You have no jobs to cancel.")
