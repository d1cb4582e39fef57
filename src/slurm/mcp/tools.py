"""Tools: what an agent may ask of a cluster and do there.

Plain functions that return answers and raise what `problems` knows; no protocol here.
"""

from __future__ import annotations

import codecs
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Literal

from pydantic import Field

from slurm.mcp import answers
from slurm.mcp import script as scripts
from slurm.mcp.problems import Problem
from slurm.notation import jobref
from slurm.sdk import slurmfile as slurmfiles
from slurm.sdk.backends.backend import Backend
from slurm.sdk.cluster import Cluster
from slurm.sdk.errors import SlurmfileInvalidError, SlurmfileNotFoundError
from slurm.sdk.following import ending, explaining, inspection, past
from slurm.sdk.following.inspection import JobRecord, UnknownJob
from slurm.sdk.following.status import UNKNOWN, Status, sentence

JobId = Annotated[str, Field(description='a job ("12"), an element of an array ("12_3"), or some of them ("12_[1-5]")',
    pattern=r"^\s*\d+(_.+)?\s*$")]
Options = Annotated[dict[str, str | int | bool | list[str]] | None, Field(
    description='options of sbatch by name, such as {"time": "01:00:00", "cpus_per_task": 4, "mem": "8G", "gpus": 1, "array": "0-9"}; '
                'they win over #SBATCH lines')]
Folder = Annotated[str, Field(description="where the job runs and writes relative paths to, on the cluster; empty: where these tools run, "
                                          "or home over ssh")]
When = Annotated[str, Field(description='a moment as Slurm writes it: "2026-11-30", "2026-11-30T08:00", "now-7days", "today"',
    pattern=r"^[A-Za-z0-9:+./-]+$")]
Checked = Annotated[bool, Field(description="ask first whether the cluster would take it; where it would not, nothing is submitted")]
MOST_RECORDS = 20
"""Of so many ended jobs scontrol is asked for the exit code, where accounting has none."""
MOST_JOBS, MOST_BYTES, MOST_SECONDS = 1000, 65536, 300.0
SHORTEST, LONGEST, GROWTH = 0.2, 3.0, 1.5


class Tools:
    """The tools of one cluster. `connect` finds it, again as long as that fails, so that the tools may be there before the cluster.

    `slurmfile` and `env` say which of which Slurmfile's environments it is.
    """

    def __init__(self, connect: Callable[[], Cluster], slurmfile: str | os.PathLike[str] | None = None, env: str | None = None) -> None:
        self._connect = connect
        self._slurmfile, self._env = slurmfile, env
        self._connected: Cluster | None = None
        self._lock = threading.Lock()

    def submit_script(self, script: Annotated[str, Field(description="a batch script; its first line is #!/bin/bash or the like")],
                      options: Options = None, working_directory: Folder = "", validate: Checked = False) -> answers.Submitted:
        """Submit a batch script and return the job's id at once. The job runs with all rights of the user."""
        return self._submitted(scripts.with_options(script, options or {}, working_directory), validate=validate)

    def submit_command(self, command: Annotated[str, Field(description="a shell command line, such as: python train.py --epochs 3")],
            options: Options = None,
                       working_directory: Folder = "") -> answers.Submitted:
        """Submit one shell command line as a job and return its id at once."""
        script = scripts.of_command(command)
        return self._submitted(scripts.with_options(script, options or {}, working_directory, scripts.name_of(command)))

    def validate_script(self, script: Annotated[str, Field(description="a batch script")], options: Options = None,
                        working_directory: Folder = "") -> answers.Validated:
        """Say whether the cluster would accept a script, and when and where it would start now (sbatch --test-only). Submits nothing."""
        return self._validated(scripts.with_options(script, options or {}, working_directory))

    def _validated(self, whole: scripts.Whole) -> answers.Validated:
        cluster = self._cluster()
        path = scripts.path(cluster.job_base_dir, whole.text)
        cluster.backend.write(path, whole.text.encode(), 0o700)
        try:
            with whole.told(path):
                said = cluster.backend.ask(["sbatch", "--test-only", path])
        except Problem as refused:
            if refused.code != "command_failed":
                raise
            return answers.Validated(valid=False, message=refused.message, hint=refused.hint)
        return answers.Validated(valid=True, message=whole.as_written("\n".join(inspection.lines(said.strip())), path), hint="")

    def list_jobs(self, user: Annotated[str, Field(description='a user\'s name, "me", or "all"')] = "me",
                  states: Annotated[list[str] | None, Field(description='such as ["PENDING", "RUNNING"]; ["all"] for ended ones too')] = None,
                  partition: str = "", limit: Annotated[int, Field(ge=1, le=MOST_JOBS)] = 100, offset: Annotated[int, Field(ge=0)] = 0) -> answers.JobList:
        """List jobs in the queue, by default your own that wait or run."""
        ask = self._backend().ask
        rows = inspection.queue(ask, mine=user == "me", users=[] if user in ("me", "all") else [user], states=states or [],
                                partitions=[partition] if partition else [])
        return answers.JobList(jobs=[answers.job_line(row) for row in rows[offset:offset + limit]], total=len(rows), offset=offset,
                               jobs_by_state=inspection.counts(rows))

    def get_job(self, job_id: JobId, limit: Annotated[int, Field(ge=1, le=MOST_JOBS,
            description="how many elements of an array")] = 20) -> answers.Jobs:
        """Say all about a job: its state and why it waits, resources, times, files.

        Also of ended jobs, as long as the cluster remembers them.
        """
        ask, ref = self._backend().ask, jobref.parse(ending.plain(job_id))
        try:
            found = [answers.job_details(one) for one in inspection.job(ask, ending.plain(job_id)) if ending.covers(ref, one)]
        except UnknownJob:
            found = [answers.job_details(row, "accounting") for row in past.history(ask, [ref.show()])]
            if not found:
                raise
        if not found:
            raise UnknownJob(f"the cluster knows no job {job_id}: it never was, or it ended too long ago")
        return answers.Jobs(jobs=found[:limit], total=len(found))

    def explain_job(self, job_id: JobId) -> answers.Explained:
        """Say why a job waits, what it lacks where, who is before it, what would start it, and when that is expected.

        Of a job that ended, also long ago: how, and what it used.
        """
        backend = self._backend()
        try:
            return answers.explained(explaining.explanation(backend, ending.plain(job_id)))
        except UnknownJob as unknown:
            try:
                return answers.ended(past.ending(backend.ask, ending.plain(job_id)))
            except past.NoAccounting:
                raise unknown from None

    def job_history(self, user: Annotated[str, Field(description='a user\'s name, "me", or "all"')] = "me",
                    since: When = "now-7days", until: When = "now", states: Annotated[list[str] | None, Field(
                        description='such as ["FAILED", "TIMEOUT"]')] = None, account: str = "", partition: str = "",
                    limit: Annotated[int, Field(ge=1, le=MOST_JOBS)] = 100, offset: Annotated[int, Field(ge=0)] = 0) -> answers.PastJobs:
        """List jobs of the past from the cluster's accounting, by default your own of the last seven days."""
        backend = self._backend()
        users = [backend.around().user] if user == "me" else [] if user == "all" else [user]
        rows = past.jobs(backend.ask, users=users, accounts=[account] if account else [], states=states or [],
            partitions=[partition] if partition else [], since=since, until=until)
        counts: dict[str, int] = {}
        for row in rows:
            counts[row.state] = counts.get(row.state, 0) + 1
        return answers.PastJobs(jobs=[answers.past_job(row) for row in rows[offset:offset + limit]], total=len(rows), offset=offset,
            jobs_by_state=counts)

    def account_usage(self, since: When = "now-30days", until: When = "now") -> answers.Usage:
        """Say how many hours of CPUs, memory and GPUs accounts and their users had, as far as you may see that."""
        return answers.Usage(used=[answers.Use(**row._asdict()) for row in past.usage(self._backend().ask, since, until)])

    def job_output(self, job_id: JobId, stream: Literal["stdout", "stderr"] = "stdout",
                   tail_lines: Annotated[int, Field(ge=1, le=5000, description="the last so many lines; only without offset")] = 100,
                   offset: Annotated[int | None, Field(ge=0, description="read on from this byte: `end` of an earlier answer")] = None,
                   max_bytes: Annotated[int, Field(ge=256, le=MOST_BYTES)] = 16384) -> answers.Output:
        """Read what a job of yours has written so far: its end, or from a byte on. Never waits; at most max_bytes at once.

        A job that is started anew (`restarts`) writes its file anew: when the file has become shorter than the offset, the text begins at
        byte 0.
        """
        backend = self._backend()
        job = self._single(backend, job_id)
        path = job.stderr if stream == "stderr" else job.stdout
        if job.user != backend.around().user:
            # Whoever submits a job says what its output is called: that must not make these tools read a file of somebody else's choice.
            raise Problem("not_permitted", f"job {job.id} is a job of {job.user}: only output of the user's own jobs is read",
                f"it is said to be in {path}")
        if path in ("", "/dev/null"):
            raise Problem("no_output", f"job {job.id} writes no {stream} to a file",
                "interactive jobs write to the terminal that they were started from")
        told = backend.grown({path: -max_bytes if offset is None else offset}).get(path)
        restarts = int(job.fields.get("Restarts") or 0)
        shorter = told is not None and offset is not None and told[0] - len(told[1]) < offset  # `grown` begins anew then
        if told is None or (shorter and not restarts):
            if not offset and job.state == "PENDING":
                raise Problem("no_output", f"job {job.id} waits still; when it runs it writes to {path}", "wait_for_jobs waits for it")
            return answers.Output(job_id=job.id, path=path, text="", start=offset or 0, end=offset or 0, more=False, state=job.state,
                restarts=restarts)
        end, data = told
        if offset is None:
            kept = b"\n".join(data.split(b"\n")[-tail_lines - data.endswith(b"\n"):])
            start = end - len(kept)
        else:
            start, kept = end - len(data), _whole_letters(data[:max_bytes])
        return answers.Output(job_id=job.id, path=path, text=kept.decode(errors="replace"), start=start, end=start + len(kept),
            more=start + len(kept) < end,
                              state=job.state, restarts=restarts)

    def wait_for_jobs(self, job_ids: Annotated[list[JobId], Field(min_length=1, max_length=MOST_JOBS)],
                      timeout_seconds: Annotated[float, Field(ge=0, le=MOST_SECONDS)] = 50.0) -> answers.Waited:
        """Wait until all these jobs have ended, or until the time is over, and say how they stand.

        An array's id stands for all its elements.
        """
        backend, began, pause = self._backend(), time.monotonic(), SHORTEST
        refs = {one: jobref.parse(ending.plain(one)) for one in job_ids}
        while True:
            rows = inspection.queue(backend.ask, ids=sorted({str(ref.job) for ref in refs.values()}), states=["all"])
            found = {one: [row for row in rows if ending.covers(ref, row)] for one, ref in refs.items()}
            finished = all(row.status.finished for some in found.values() for row in some)
            left = timeout_seconds - (time.monotonic() - began)
            if finished or left <= 0:
                break
            time.sleep(min(pause, left))
            pause = min(LONGEST, pause * GROWTH)
        statuses = {row.id: row.status for some in found.values() for row in some}
        ended = [id for id, status in statuses.items() if status.finished]
        for id, status in backend.states([*ended, *(one for one, some in found.items() if not some)]).items():
            statuses[id] = statuses[id]._replace(exit_code=status.exit_code) if id in statuses else status
        for id in [id for id in ended if not statuses[id].exit_code][:MOST_RECORDS]:
            with suppress(UnknownJob):  # forgotten since
                statuses[id] = statuses[id]._replace(exit_code=inspection.job(backend.ask, ending.plain(id))[0].exit_code)
        return answers.Waited(finished=finished, waited_seconds=round(time.monotonic() - began, 3),
                              jobs=[_end(id, status) for id, status in list(statuses.items())[:MOST_JOBS]])

    def cancel_job(self, job_id: JobId) -> answers.Cancelled:
        """Cancel a job, watch it for a few seconds, and say what really became of it."""
        return self.cancel_jobs([job_id]).jobs[0]

    def cancel_jobs(self, job_ids: Annotated[list[JobId], Field(min_length=1, max_length=MOST_JOBS)]) -> answers.CancelledJobs:
        """Cancel jobs, watch them for a few seconds, and say of each what really became of it."""
        return answers.CancelledJobs(jobs=[answers.Cancelled(job_id=one.id, result=one.result, state=one.state, message=one.message)
                                           for one in ending.cancel(self._backend(), job_ids)])

    def list_partitions(self) -> answers.Partitions:
        """List the partitions that jobs can be submitted to, with their limits and how busy they are."""
        return answers.Partitions(partitions=[answers.partition(row) for row in inspection.partitions(self._backend().ask)])

    def list_nodes(self, partition: str = "", only_unusable: bool = False, limit: Annotated[int,
            Field(ge=1, le=MOST_JOBS)] = 100) -> answers.Nodes:
        """List nodes with what of them is given to jobs, and why some are down."""
        ask = self._backend().ask
        if partition:
            inspection.partitions_known(ask, [partition])
        rows = [row for row in inspection.nodes(ask) if (not partition or partition in row.partitions)
            and not (only_unusable and row.usable)]
        return answers.Nodes(nodes=[answers.node(row) for row in rows[:limit]], total=len(rows))

    def cluster_status(self) -> answers.ClusterStatus:
        """Say at one glance how the cluster is: jobs by state, nodes by state, what is in use, which nodes are unusable and why."""
        backend = self._backend()
        rows, nodes, user = inspection.queue(backend.ask), inspection.nodes(backend.ask), backend.around().user
        states: dict[str, int] = {}
        for one in nodes:
            states[one.state] = states.get(one.state, 0) + 1
        return answers.ClusterStatus(
            backend=backend.name, user=user, jobs_by_state=inspection.counts(rows),
            own_jobs_by_state=inspection.counts(row for row in rows if row.user == user),
            nodes_by_state=states, unusable_nodes=[answers.node(one) for one in nodes if not one.usable][:100],
            cpus=answers.Shares(allocated=sum(one.cpus_allocated for one in nodes), total=sum(one.cpus for one in nodes)),
            memory_mb=answers.Shares(allocated=sum(one.memory_allocated for one in nodes), total=sum(one.memory for one in nodes)),
            gpus=answers.Shares(allocated=sum(one.gpus_allocated for one in nodes), total=sum(one.gpus for one in nodes)),
            partitions=sorted({name for one in nodes for name in one.partitions}))

    def list_environments(self) -> answers.Environments:
        """List the clusters that the Slurmfile describes, and which of them these tools act on."""
        try:
            path, names = slurmfiles.names(self._slurmfile, os.environ)
        except SlurmfileNotFoundError:
            if self._slurmfile is not None:
                raise
            return answers.Environments(slurmfile="", environments=[])
        current = self._env or os.environ.get("SLURM_ENV") or "default"
        told = []
        for name in names:
            try:
                settings = slurmfiles.settings(path, name, {}, submitting=False)
            except SlurmfileInvalidError:
                continue  # a `default` with only what the others share, or a table of something else
            told.append(answers.Environment(name=name, backend=str(settings["backend_type"]), hostname=str(settings.get("hostname", "")),
                current=name == current))
        return answers.Environments(slurmfile=str(path), environments=told)

    def _submitted(self, script: scripts.Whole, *, validate: bool = False) -> answers.Submitted:
        cluster, said = self._cluster(), ""
        if validate:
            found = self._validated(script)
            if not found.valid:
                raise Problem("submission_refused", found.message, found.hint or "nothing was submitted")
            said = found.message
        path = scripts.path(cluster.job_base_dir, script.text)
        cluster.backend.write(path, script.text.encode(), 0o700)
        with script.told(path):
            job = cluster.backend.submit(script.text, path, {})
        record = inspection.job(cluster.backend.ask, job)[0]
        return answers.Submitted(job_id=job, script_path=path, working_directory=record.work_dir, stdout=record.stdout,
            stderr=record.stderr, state=record.state,
                                 why=record.why, validated=said)

    def _single(self, backend: Backend, job_id: str) -> JobRecord:
        """The one job that an id names, or the elements that still wait as one; Problem when it names several."""
        ref = jobref.parse(ending.plain(job_id))
        found = [one for one in inspection.job(backend.ask, ending.plain(job_id)) if ending.covers(ref, one)]
        if len(found) > 1:
            raise Problem("invalid_job_id", f"job {job_id} is an array of several jobs, each with a file of its own: name one element",
                          valid=[one.id for one in found][:20])
        if not found:
            raise UnknownJob(f"the cluster knows no job {job_id}: it never was, or it ended too long ago")
        return found[0]

    def _backend(self) -> Backend:
        return self._cluster().backend

    def _cluster(self) -> Cluster:
        with self._lock:
            if self._connected is None:
                self._connected = self._connect()
            return self._connected


def _end(id: str, status: Status) -> answers.JobEnd:
    why = "the cluster knows no such job: it never was, or it ended too long ago" if status.state == UNKNOWN else sentence(status)
    return answers.JobEnd(job_id=id, state=status.state, exit_code=status.exit_code, successful=status.successful, why=why)


def _whole_letters(data: bytes) -> bytes:
    """The bytes without a letter that is cut at their end, so that the next answer begins with it."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(data)
    pending = len(decoder.getstate()[0])
    return data[:len(data) - pending] if pending < len(data) else data
