"""Records: what a workflow writes down of each call that it makes, so that when it runs again it finds the jobs instead of making them
twice.

A record is written before the job is handed in, and again with its ids: whatever happens between, the cluster can be asked for the job by
its script.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slurm.sdk.array_job import ArrayJob, Chunk
from slurm.sdk.backends.backend import Backend, Outputs, chdir
from slurm.sdk.calls.folder import JobFiles, whole
from slurm.sdk.following.inspection import QueueRow, queue
from slurm.sdk.following.status import Status
from slurm.sdk.job import Job
from slurm.sdk.place import Place
from slurm.sdk.tasks import SlurmTask

ALONE = ("inline", "subprocess")
"""Backends whose jobs end with the program: there is nothing to find."""


def begin(record: Path, files: JobFiles) -> None:
    """Write that a job with these files is about to be handed in."""
    _write(record, {"folder": files.folder, "key": files.array_key, "chunks": None})


def remember(record: Path, made: Job[Any] | ArrayJob[Any]) -> None:
    """Write what was handed in, and the keys under which its results are cached."""
    chunks = [list(chunk) for chunk in made.chunks] if isinstance(made, ArrayJob) else [[made.id, 0, 0]]
    jobs = list(made) if isinstance(made, ArrayJob) else [made]
    told: dict[str, Any] = {"folder": made.files.folder, "key": made.files.array_key, "chunks": chunks}
    if any(job.cache_key for job in jobs):
        told["cached"] = [[job.cache_key, job.files.folder if job.cached else ""] for job in jobs]
    _write(record, told)


def found(record: Path, cluster: Place, task: SlurmTask[..., Any], count: int | None) -> Job[Any] | ArrayJob[Any] | None:
    """The job of a record, or with `count` its array of so many elements; None where there is none or any of it ended badly."""
    try:
        told = json.loads(record.read_text())
    except FileNotFoundError:
        return None
    files = JobFiles(told["folder"], told["key"])
    seen: list[QueueRow] | None = None if cluster.backend.name not in ALONE else []
    if told["chunks"] is None:
        seen = rows(cluster.backend) if seen is None else seen
        chunks = _handed_in(cluster, seen, files, count)
    else:
        chunks = [Chunk(*chunk) for chunk in told["chunks"]]
    made = _made(cluster, files, chunks, task, count, told.get("cached"))
    if made is None:
        return None
    for job in made if isinstance(made, ArrayJob) else (made,):
        if job.cached or _good(cluster, job):
            continue
        seen = rows(cluster.backend) if seen is None else seen
        start, number = _place(job, chunks)
        again = latest(seen, files.script + (f".{start}" if start else ""), number)
        if again in ("", job.id):
            return None
        cluster.tracker.renew({job.attempts[0]: again})
        if job.done():
            return None
    return made


def _handed_in(cluster: Place, seen: Sequence[QueueRow], files: JobFiles, count: int | None) -> list[Chunk]:
    """What the cluster took of a job whose ids were never written down. Of an array that was not handed in to its end nothing is kept."""
    if count is None:
        job = latest(seen, files.script) or (f"ended-{files.key}" if os.path.exists(files.result) else "")
        return [Chunk(job, 0, 0)] if job else []
    chunks: list[Chunk] = []
    while (start := sum(chunk.size for chunk in chunks)) < count:
        script = files.script + (f".{start}" if start else "")
        elements = {row.id: int(row.array_id) for row in seen if row.command == script}
        if not elements:
            break
        chunks.append(Chunk(str(min(elements.values())), start, len(elements)))
    if sum(chunk.size for chunk in chunks) == count:
        return chunks
    if chunks:
        cluster.backend.cancel([chunk.id for chunk in chunks])
    return []


def _made(cluster: Place, files: JobFiles, chunks: Sequence[Chunk], task: SlurmTask[..., Any], count: int | None,
          cached: list[list[str]] | None) -> Job[Any] | ArrayJob[Any] | None:
    from slurm.sdk.calls.fingerprint import cached_job  # fingerprints are only needed here, and take long to import

    name, options = str(task), {**cluster.defaults(), **task.sbatch_options}
    options["chdir"] = chdir(options, cluster.home, files.folder)
    outputs = Outputs.of(options, name, cluster.backend.around())
    if count is None:
        if len(chunks) != 1 or chunks[0].size:
            return None
        if cached and cached[0][1]:
            job: Job[Any] = cached_job(cluster, cached[0][1], cached[0][0], name, options)
            return job
        out, err = outputs.paths(chunks[0].id) if chunks[0].id.isdigit() else (None, None)
        job = Job(chunks[0].id, cluster, files, name=name, options=options, stdout_path=out, stderr_path=err)
        job.cache_key = cached[0][0] if cached else ""
        return job
    array: ArrayJob[Any] = ArrayJob.of(cluster, files, chunks, name=name, options=options, outputs=outputs)
    if cached:
        array.insert({number: cached_job(cluster, folder, key, name, options) for number, (key, folder) in enumerate(cached) if folder})
        for one, (key, _) in zip(array, cached, strict=False):
            one.cache_key = key
    return array if len(array) == count else None


def _good(cluster: Place, job: Job[Any]) -> bool:
    """Whether a job has its result, or may still get one."""
    if os.path.exists(job.files.result):
        cluster.tracker.settle(job.id, Status("COMPLETED", "0:0"))
        return True
    return not job.done()


def _place(job: Job[Any], chunks: Sequence[Chunk]) -> tuple[int, int | None]:
    """The number of the first element of the part that a job belongs to, and the job's number in it."""
    base, underscore, number = job.attempts[0].partition("_")
    start = next((chunk.start for chunk in chunks if chunk.id == base), 0)
    return start, int(number) if underscore else None


def _write(record: Path, told: dict[str, Any]) -> None:
    record.parent.mkdir(parents=True, exist_ok=True)
    with whole(str(record)) as file:
        file.write(json.dumps(told).encode())


def rows(backend: Backend) -> list[QueueRow]:
    """All jobs of this user and elements of arrays, ended ones too as long as the cluster remembers them; BackendError when it cannot be asked."""
    return queue(backend.ask, mine=True, states=["all"], elements=True)


def latest(known: Sequence[QueueRow], script: str, number: int | None = None) -> str:
    """The id of the last attempt of the job with this script, or of that element of its array; "" when there is none."""
    element = "" if number is None else f"_{number}"
    bases = [int(row.array_id) for row in known if row.id == row.array_id + element
             and (row.command == script or row.command.startswith(f"{script}.again"))]
    return f"{max(bases)}{element}" if bases else ""
