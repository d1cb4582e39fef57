"""`slurm jobs logs`: what a job has written, and with -f what it writes from now on."""

from __future__ import annotations

import argparse
import codecs
from collections.abc import Iterator, Mapping, Sequence

from slurm.commands import which_cluster
from slurm.commands.embedded.console import Console
from slurm.commands.failure import Failure
from slurm.commands.jobs import wanted
from slurm.notation import filenames, jobref
from slurm.notation.filenames import Fields
from slurm.notation.jobref import JobRef
from slurm.sdk.backends.backend import File
from slurm.sdk.cluster import Cluster
from slurm.sdk.following import logs
from slurm.sdk.following.inspection import JobRecord

NOWHERE = ("", "/dev/null")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm jobs logs`."""
    which_cluster.arguments(parser, slurmfile_flags=("-s",), json="print JSON: with -f an object for each piece of text")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the job has ended")
    parser.add_argument("-n", "--lines", type=int, metavar="N", help="begin with the last N lines (default: all)")
    common(parser)


def common(parser: argparse.ArgumentParser) -> None:
    """The options that `logs` and `tail` have in common."""
    parser.add_argument("job", metavar="JOB_ID", help="12, 12_3 for an element of an array, 12_[1-3] for several")
    parser.add_argument("--stderr", action="store_true", help="standard error, where it goes to a file of its own")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Show what was written; exit status."""
    ref = wanted.single(options.job)
    if options.lines is not None and options.lines < 0:
        raise Failure("InvalidOption", f"--lines {options.lines}: it takes a number of lines, 0 for none of those that are there")
    with which_cluster.opened(options) as cluster:
        records = wanted.records(cluster.backend, ref)
        found = list(files(ref, records, stderr=options.stderr))
        begun = any(record.state != "PENDING" for record in records)
        if not options.follow and not begun:
            raise Failure("NothingWritten", f"job {ref.show()} has written nothing yet: it is PENDING",
                          [records[0].why, "-f waits for it to begin"])
        if options.follow and not begun:
            console.note(f"job {ref.show()} is PENDING: {records[0].why}")
        if console.json:
            _answer(cluster, found, options, console)
        elif len(found) == 1:
            _one(cluster, found[0], options, console)
        else:
            for line in logs.lines(cluster, found, follow=options.follow, last=options.lines):
                console.line(line)
    return 0


def files(ref: JobRef, records: Sequence[JobRecord], *, stderr: bool) -> Iterator[File]:
    """Where these jobs write, those of an array behind the name of the element; a Failure when that is nowhere."""
    for record in records:
        path = record.stderr if stderr else record.stdout
        if path in NOWHERE:
            raise Failure("NothingWritten", f"job {record.id} writes its standard {'error' if stderr else 'output'} to "
                          f"{path or 'the terminal that started it'}", [] if path
                          else ["jobs of salloc and srun have no file of their own"])
        if "[" not in record.id:
            yield File(record.id, path, f"{record.id}: " if len(records) > 1 else "")
            continue
        for task in jobref.parse(record.id).tasks or ():
            if ref.tasks is None or task in ref.tasks:
                own = filenames.expand(path, Fields(int(record.raw_id), array_job=int(record.array_id), array_task=task, node_name="%N"))
                yield File(f"{record.array_id}_{task}", own, f"{record.array_id}_{task}: ")


def _one(cluster: Cluster, file: File, options: argparse.Namespace, console: Console) -> None:
    """A single log as it is, progress bars and all; and a word where a file is missing, which an empty one is not."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    shown = False
    for _, data in logs.pieces(cluster, [file], follow=options.follow, lines=options.lines):
        shown = True
        console.out.write(decoder.decode(data))
        console.out.flush()
    if not shown:
        try:
            cluster.backend.read(file.path).close()
        except FileNotFoundError:
            console.note(f"{file.path} is not there")


def _answer(cluster: Cluster, found: Sequence[File], options: argparse.Namespace, console: Console) -> None:
    text = {file: "" for file in found}
    for file, data in logs.pieces(cluster, found, follow=options.follow, lines=options.lines):
        if options.follow:
            console.answer({"job": file.job, "path": file.path, "text": data.decode(errors="replace")})
        else:
            text[file] += data.decode(errors="replace")
    if not options.follow:
        console.answer({"files": [{"job": file.job, "path": file.path, "text": said} for file, said in text.items()]})
