"""`slurm sim`: a workload through a cluster that is made up, under one configuration or several, in seconds instead of weeks."""

from __future__ import annotations

import argparse
import gzip
import os
import shlex
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from slurm.commands.embedded.console import Console
from slurm.model.errors import InvalidRequest, NotationError, NotFound
from slurm.notation import duration
from slurm.render import chart_svg
from slurm.sim import cases, machine, measures, sacct_dump, state_folder, swf
from slurm.sim.cases import Case, Result
from slurm.sim.engine import Arrival

MEASURES: dict[str, tuple[str, Callable[[float], str]]] = {
    "utilisation": ("UTILISATION", lambda value: f"{100 * value:.1f} %"), "mean_wait": ("MEAN WAIT", duration.show),
    "wait_95": ("95 % WAIT", duration.show), "longest_wait": ("LONGEST", duration.show),
    "slowdown": ("SLOWDOWN", lambda value: f"{value:.2f}"), "mean_queue": ("QUEUE", lambda value: f"{value:.1f}"),
    "span": ("SPAN", duration.show)}
"""What the table has of each run: field of sim.measures.Summary → header, how it is written."""
REFUSALS = 5
"""Of so many jobs that never ran to their end it is said why."""
_JITTER = "10:00"
_REPAIR = "4:00:00"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm sim`."""
    parser.add_argument("workload", metavar="FILE", help="a trace in the Standard Workload Format (.swf, .swf.gz), the output of "
                        "sacct --parsable2, or the StateSaveLocation of a slurmctld of ours")
    parser.add_argument("-f", "--conf", metavar="SLURM.CONF", default="", help="the cluster (default: equal nodes, see --nodes)")
    parser.add_argument("--nodes", type=int, default=0, metavar="N", help="without --conf: so many nodes (default: what the trace says)")
    parser.add_argument("--cpus", type=int, default=1, metavar="N", help="without --conf: CPUs of each node (default: 1)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="changes",
                        help="a line of slurm.conf for every run; BackfillOrder=shortest tries short jobs first")
    parser.add_argument("--versus", action="append", default=[], metavar="CHANGES",
                        help="a run to compare with: KEY=VALUE of slurm.conf, several with ; between. May be repeated")
    parser.add_argument("--exact", action="store_true", help="users know how long their jobs run: time limits are the run times")
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="the first so many jobs only")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="each configuration so many times, with other chances each time")
    parser.add_argument("--jitter", default=_JITTER, metavar="TIME", help=f"with --seeds: submissions are moved by up to this ({_JITTER})")
    parser.add_argument("--failures", type=float, default=0.0, metavar="N", help="a node fails so many times a day (0)")
    parser.add_argument("--repair", default=_REPAIR, metavar="TIME", help=f"and is away for so long ({_REPAIR})")
    parser.add_argument("-o", "--output", metavar="FILE.svg", default="", help="draw utilisation, queue, waits and slowdowns")
    parser.add_argument("--outcomes", metavar="FILE", default="", help="write every job of the first run as lines of NAME|VALUE columns")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Simulate; exit status."""
    arrivals, processors = read(options.workload, exact=options.exact)
    if options.jobs > 0:
        arrivals = arrivals[:options.jobs]
    if not arrivals:
        raise InvalidRequest(message=f"{options.workload} has no job that ran")
    wanted = _cases(options, processors)
    progress = _Progress(console)
    try:
        results = cases.run(wanted, arrivals, progress.told)
    finally:
        progress.over()
    _say(console, results, options)
    if options.output:
        _write(options.output, drawing(results, os.path.basename(options.workload)))
    if options.outcomes:
        _write(options.outcomes, _lines(results[0]))
    return 0


def read(path: str, *, exact: bool) -> tuple[list[Arrival], int]:
    """The arrivals of a workload, and the processors of the machine that it comes from (0: not said). NotFound, InvalidRequest."""
    if os.path.isdir(path):
        if state_folder.is_one(path):
            return state_folder.read(path), 0
        raise NotFound(message=f"{path} is no StateSaveLocation: there is no journal in it")
    try:
        with (gzip.open(path, "rt", errors="replace") if path.endswith(".gz") else open(path, errors="replace")) as file:
            lines = file.read().splitlines()
    except (OSError, EOFError, zlib.error) as error:
        raise NotFound(message=f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if lines and sacct_dump.is_one(lines[0]):
        return list(sacct_dump.read(lines, exact=exact)), 0
    return list(swf.read(lines, exact=exact, start=float(swf.heading(lines, "UnixStartTime")))), (
        swf.heading(lines, "MaxProcs") or swf.heading(lines, "MaxNodes"))


def _cases(options: argparse.Namespace, processors: int) -> list[Case]:
    if options.conf:
        text, folder = machine.read(options.conf), os.path.dirname(os.path.abspath(options.conf))
    else:
        nodes = options.nodes or -(-processors // max(1, options.cpus))
        if not 0 < nodes <= 65_536 or options.cpus < 1:
            raise InvalidRequest(message="how large is the cluster?", hints=["-f slurm.conf, or --nodes N --cpus N"])
        text, folder = machine.equal_nodes(nodes, options.cpus), ""
    if options.seeds < 1 or options.failures < 0:
        raise InvalidRequest(message="--seeds and --failures are numbers of 1 and 0 or more")
    seeded = {"jitter": _seconds(options.jitter), "failures": options.failures, "repair": _seconds(options.repair)}
    runs = [(", ".join(options.changes) or "as configured", list(options.changes))]
    for text_of in options.versus:
        runs.append((text_of, [*options.changes, *(one.strip() for one in text_of.split(";") if one.strip())]))
    return [cases.of_changes(name, text, folder, changes, seed=seed, **seeded) for name, changes in runs for seed in range(options.seeds)]


def _seconds(text: str) -> float:
    try:
        return float(max(0, duration.parse(text)))
    except NotationError as error:
        raise InvalidRequest(message=f"{text} is no time", hints=[error.message]) from error


class _Progress:
    """A line on standard error of a terminal that says how far the runs are."""

    def __init__(self, console: Console) -> None:
        self._shown = console.err.isatty() and not console.json
        self._err = console.err
        self._drawn = False

    def told(self, done: int, everything: int) -> None:
        """So many jobs of so many have ended."""
        if self._shown:
            self._drawn = True
            part = done / everything if everything else 1.0
            print(f"\r[{'#' * int(30 * part):<30}] {done:,} of {everything:,} jobs", end="", file=self._err, flush=True)

    def over(self) -> None:
        """Take the line away."""
        if self._drawn:
            print("\r\033[K", end="", file=self._err, flush=True)


def _grouped(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Runs by configuration, those of its seeds together."""
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.case.name, []).append(result)
    return found


def _say(console: Console, results: Sequence[Result], options: argparse.Namespace) -> None:
    groups = _grouped(results)
    if console.json:
        console.answer({"workload": options.workload, "runs": [
            {"name": name, "cpus": runs[0].cpus, "nodes": len(runs[0].nodes), "seeds": [run.summary._asdict() for run in runs]}
            for name, runs in groups.items()]})
        return
    first = results[0].summary
    console.line(f"{first.jobs:,} jobs on {len(results[0].nodes):,} nodes with {results[0].cpus:,} CPUs"
                 + (f", {first.refused:,} never ran to their end" if first.refused else "") + (f", {first.restarts:,} restarts"
                 if first.restarts else ""))
    rows = []
    for name, runs in groups.items():
        cells = [name]
        for field, (_, show) in MEASURES.items():
            mean, half = measures.confidence([getattr(run.summary, field) for run in runs])
            cells.append(show(mean) + (f" ± {show(half)}" if half else ""))
        rows.append(cells)
    console.table(["RUN", *(header for header, _ in MEASURES.values())], rows, free=["RUN"])
    for line in results[0].refusals[:REFUSALS]:
        console.note(line)
    if len(results[0].refusals) > REFUSALS:
        console.note(f"{len(results[0].refusals) - REFUSALS:,} more never ran to their end")


def drawing(results: Sequence[Result], title: str) -> str:
    """Utilisation, queue, waits and slowdowns of the first seed of each configuration, as an SVG document."""
    runs = [group[0] for group in _grouped(results).values()]

    def lines(of: Callable[[Result], list[tuple[float, float]]], *, steps: bool) -> list[chart_svg.Line]:
        return [chart_svg.Line(run.case.name, of(run), steps) for run in runs]

    def day(moment: float) -> str:
        return datetime.fromtimestamp(moment).strftime("%m-%d %H:%M")

    def per_cent(value: float) -> str:
        return f"{100 * value:.0f} %"

    return chart_svg.drawing(title, [
        chart_svg.Panel("CPUs in use", lines(lambda run: [(x, y / run.cpus) for x, y in measures.usage(run.outcomes)], steps=True), day,
                        per_cent, 1.0),
        chart_svg.Panel("Jobs that wait", lines(lambda run: measures.queue(run.outcomes), steps=True), day),
        chart_svg.Panel("Part of the jobs that waited at most so many hours",
                        lines(lambda run: measures.distribution(one.wait / 3600 for one in run.outcomes), steps=False), "{:.3g}".format,
                        per_cent, 1.0),
        chart_svg.Panel("Part of the jobs that were slowed down at most so much (bounded)",
                        lines(lambda run: measures.distribution(min(100.0, measures.bounded_slowdown(one)) for one in run.outcomes),
                              steps=False), "{:.3g}".format, per_cent, 1.0)])


def _lines(result: Result) -> str:
    fields = ("job", "user", "partition", "submitted", "started", "ended", "cpus", "state", "restarts", "nodes")
    rows = [
        "|".join(",".join(value) if isinstance(value, tuple) else str(value) for value in (getattr(one, field) for field in fields))
        for one in result.outcomes]
    return "\n".join(["|".join(fields), *rows, ""])


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InvalidRequest(message=f"cannot write {shlex.quote(path)}: {error.strerror}") from error


