"""The methods of the published SDK's backends, for ours: each is said by what a `Backend` can do."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

from slurm.notation import array
from slurm.sdk.backends.backend import DEFAULT_BASE, Backend, Distant
from slurm.sdk.errors import BackendCommandError, BackendError
from slurm.sdk.following import inspection, past
from slurm.sdk.following.inspection import JobRecord

SECONDS = 30.0
_OF_ACCOUNTS = (
    "JobID", "User", "Account", "State", "ExitCode", "AllocTRES", "AllocNodes", "Start", "End", "Elapsed", "Partition", "JobName")


class PublishedMethods:
    """A base of backends; of the instance it needs what `Backend` has."""

    hostname = "localhost"
    base_dir = DEFAULT_BASE
    """Below which its cluster has the folders of jobs made, as that was said."""

    @cached_property
    def job_base_dir(self: Any) -> str:
        """The same as the jobs see it."""
        return str(self.base(self.base_dir))

    def submit_job(self: Any, script: str, target_job_dir: str, pre_submission_id: str, account: str | None = None,
            partition: str | None = None,
                   array_spec: str | None = None) -> str:
        """Submit a script from its folder; its id, with the elements of an array behind it (`12_[0-9%2]`)."""
        backend: Backend = self
        first, _, rest = script.partition("\n")
        asked = {"chdir": target_job_dir, "account": account, "partition": partition}
        lines = [f"#SBATCH --{name}={value}" for name, value in asked.items() if value]
        text = "\n".join((first, *lines, rest))
        path = f"{target_job_dir}/slurm_job_{pre_submission_id}_script.sh"
        backend.write(path, text.encode(), 0o750)
        elements = array.parse(array_spec) if array_spec else None
        job = backend.submit(text, path, {name: value for name, value in asked.items() if value},
            *((list(elements.tasks), elements.limit) if elements else ()))
        return f"{job}_[{array_spec}]" if array_spec else job

    def described(self: Any, job_id: str) -> JobRecord:
        """What the cluster knows of a job; BackendCommandError when that is nothing."""
        records: list[JobRecord] = inspection.job(self.ask, job_id)
        if not records:
            raise inspection.UnknownJob(f"the cluster knows no job {job_id}")
        return next((record for record in records if record.id == job_id), records[0])

    def get_job_status(self, job_id: str) -> dict[str, str]:
        """What `scontrol show job` says, by its keys; BackendCommandError when the cluster does not know the job."""
        return dict(self.described(job_id).fields)

    def get_job_accounting(self: Any, job_id: str) -> dict[str, str]:
        """What accounting kept of a job: JobID, JobState, ExitCode, StartTime, EndTime, Elapsed; BackendError when it kept nothing."""
        rows = past.history(self.ask, [job_id])
        if not rows:
            raise BackendError(f"no accounting record of job {job_id}")
        one = rows[0]
        return {"JobID": one.id, "JobState": one.state, "ExitCode": one.exit_code, "StartTime": one.start, "EndTime": one.end, "Elapsed": one.used}

    def get_account_jobs(self: Any, account: str, start_time: str, end_time: str = "now") -> list[dict[str, str]]:
        """What accounting kept of an account's jobs between two times, as sacct writes times: a dictionary a job; BackendError without
        accounting."""
        said: str = self.ask(["sacct", "-n", "-P", "-X", "-A", account, "-S", start_time, "-E", end_time, "-o", ",".join(_OF_ACCOUNTS)])
        rows = (line.split("|", len(_OF_ACCOUNTS) - 1) for line in said.splitlines())
        found = (dict(zip(_OF_ACCOUNTS, row, strict=True)) for row in rows if len(row) == len(_OF_ACCOUNTS))
        return [{**row, "AllocGRES": row["AllocTRES"]} for row in found]

    def get_queue(self: Any) -> list[dict[str, str]]:
        """The queue, every job of every user; a raw id for each element of an array that has started."""
        return [{"JOBID": row.raw_id, "NAME": row.name, "STATE": row.state, "USER": row.user, "START_TIME": row.start or "N/A",
                 "TIME": row.used, "TIME_LIMIT": row.limit, "PARTITION": row.partition, "ACCOUNT": row.account or "(null)",
                 "NODES": str(row.nodes), "REASON": row.reason or "None"} for row in inspection.queue(self.ask)]

    def get_cluster_info(self: Any) -> dict[str, list[dict[str, str]]]:
        """The partitions, a row for each state that nodes of it are in."""
        return {"partitions": [
            {"PARTITION": row.name, "AVAIL": row.available, "TIMELIMIT": row.limit or "infinite", "NODES": str(count), "STATE": state}
            for row in inspection.partitions(self.ask) for state, count in row.states.items()]}

    def cancel_job(self: Any, job_id: str) -> bool:
        """End a job; BackendError when it may not be ended."""
        self.cancel([job_id])
        return True

    def is_remote(self) -> bool:
        """Whether the jobs do not see this disk."""
        return isinstance(self, Distant)

    def read_file(self: Any, file_path: str) -> str:
        """A file's text; FileNotFoundError when it is not there."""
        with self.read(file_path) as file:
            return str(file.read().decode(errors="replace"))

    def write_file(self: Any, file_path: str, content: str) -> None:
        """Write a file, making its folder."""
        self.write(file_path, content.encode())

    def download_file(self: Any, remote_path: str, local_path: str) -> None:
        """Copy a file of theirs here."""
        with self.read(remote_path) as file, open(local_path, "wb") as copy:
            while piece := file.read(1 << 20):
                copy.write(piece)

    def upload_file(self: Any, local_path: str, remote_path: str) -> None:
        """Copy a file of this disk there."""
        with open(local_path, "rb") as file:
            self.write(remote_path, file.read(), os.stat(local_path).st_mode & 0o777)

    def execute_command(self: Any, command: str) -> str:
        """What a shell command line printed where jobs are submitted; BackendCommandError when it failed."""
        if isinstance(self, Distant):
            return self.say(command)
        done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=SECONDS, check=False)
        if done.returncode:
            raise BackendCommandError(done.stderr.strip() or f"{command} ended with {done.returncode}")
        return done.stdout

    def tail_file(self: Any, path: str, *, follow: bool = True, lines: int = 10, on_line: Callable[[str], None], stop_event: Any = None,
                  poll_interval: float = 1.0) -> None:
        """Call `on_line` for the last lines of a file and then, until `stop_event` is set, for those that are added."""
        text = self.read_file(path)
        for line in text.splitlines()[-lines:] if lines else ():
            on_line(line)
        end, left = len(text.encode()), b""
        while follow and not (stop_event is not None and stop_event.is_set()):
            found = self.grown({path: end}).get(path)
            if found is None:
                time.sleep(poll_interval)
                continue
            end, data = found
            *whole, left = (left + data).split(b"\n")
            for part in whole:
                on_line(part.decode(errors="replace"))

    def reconnect(self: Any) -> None:
        """Open connections anew when they are needed next."""
        self.close()
