"""`slurm jobs show`: everything that is known of a job, and why it waits."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from slurm.commands import which_cluster
from slurm.commands.embedded.console import Console
from slurm.commands.jobs import told, wanted
from slurm.sdk.backends.backend import Backend
from slurm.sdk.following import past
from slurm.sdk.following.inspection import JobRecord, UnknownJob


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm jobs show`."""
    which_cluster.arguments(parser, json="print JSON")
    parser.add_argument("job", metavar="JOB_ID", help="12, or 12_3 for an element of an array")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Show the job; exit status."""
    ref = wanted.single(options.job)
    with which_cluster.opened(options) as cluster:
        try:
            records: Sequence[JobRecord] = wanted.records(cluster.backend, ref)
        except UnknownJob:
            records = past.history(cluster.backend.ask, [ref.show()])
            if not records:
                raise
    if console.json:
        console.answer({"jobs": [told.facts(record) for record in records]})
        return 0
    if len(records) == 1:
        console.sheet(sheet(records[0]), title=f"Job {records[0].id}")
        return 0
    _several(console, ref.show(), records)
    return 0


def record(backend: Backend, id: str) -> JobRecord:
    """What is known of the one job that is meant; UnknownJob."""
    return wanted.records(backend, wanted.single(id))[0]


def sheet(found: JobRecord) -> dict[str, str]:
    """A job's facts by the names under which they are shown, "" where there is nothing to say."""
    started = bool(found.start) and found.state != "PENDING"
    values = {
        "State": found.state, "Why": found.why, "Name": found.name, "User": found.user, "Account": found.account,
        "Partition": found.partition,
        "Submitted": _when(found.submit), "Started" if started else "Expected start": _when(found.start),
        "Ended" if found.state not in ("RUNNING", "PENDING", "SUSPENDED") else "Ends at the latest": _when(found.end) if started else "",
        "Run time": found.used if started else "", "Time limit": found.limit,
        "Exit code": told.ending(found.exit_code) if found.status.finished else "",
        "Nodes": found.nodelist or f"{found.nodes} wanted"}
    stderr = found.stderr if found.stderr != found.stdout else ""
    return {**values, "CPUs": str(found.cpus or ""), "Asked for": found.requested,
        "Has": found.allocated if found.allocated != found.requested else "",
            "Waits for": found.dependency, "QOS": found.qos, "Command": found.command, "Work dir": found.work_dir, "Output": found.stdout,
            "Errors": stderr, "Comment": found.fields.get("Comment", "").strip()}


def _several(console: Console, id: str, records: Sequence[JobRecord]) -> None:
    """An array: what its elements have in common, then a line for each of them."""
    first = records[0]
    console.sheet({"Name": first.name, "User": first.user, "Account": first.account, "Partition": first.partition,
        "Submitted": _when(first.submit),
                   "Time limit": first.limit, "Command": first.command,
                   "Work dir": first.work_dir}, title=f"Job {id}, {len(records)} lines")
    console.line()
    rows = [[one.id, one.state, one.used, told.ending(one.exit_code) if one.status.finished else "", one.nodelist, one.why]
        for one in records]
    console.table(["JOB ID", "STATE", "TIME", "EXIT CODE", "NODES", "WHY"], rows, free=("NODES", "WHY", "EXIT CODE"))


def _when(moment: str) -> str:
    return moment.replace("T", " ")
