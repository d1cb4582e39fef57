"""The last lines that a job wrote, for the mail that says that it failed: read as the job's owner, or not at all."""

from __future__ import annotations

import os
import subprocess

from slurm.model.accounting import JobRecord
from slurm.notation import filenames
from slurm.notation.hostlist import expand

_BYTES = 8192
_LINES = 10
_SECONDS = 5.0
_TAIL = "/usr/bin/tail"


def last_lines(record: JobRecord, groups: tuple[int, ...]) -> list[str]:
    """At most 10 lines of its error file, or of its output where both are one; [] where they cannot be read here. Blocks for 5 s at most.

    A user names the file, so only that user reads it: root becomes him, and another SlurmUser does not look.
    """
    pattern = record.stderr or record.stdout
    if not pattern or os.geteuid() not in (0, record.uid) or not os.access(_TAIL, os.X_OK):
        return []
    hosts = expand(record.nodes) if record.nodes else []
    name = filenames.expand(pattern, filenames.Fields(
        job=record.id, job_name=record.name, user=record.user, array_job=record.array_job or None, array_task=record.array_task,
        node_name=hosts[0] if hosts else ""))
    path = os.path.join(record.work_dir, name)
    as_owner = {"user": record.uid, "group": record.gid, "extra_groups": groups} if os.geteuid() == 0 else {}
    try:
        found = subprocess.run(  # type: ignore[call-overload]  # noqa: S603
            [_TAIL, "-c", str(_BYTES), "--", path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False, cwd="/", **as_owner)
    except (OSError, subprocess.SubprocessError, ValueError):
        return []
    text: str = found.stdout.decode(errors="replace")
    return text.splitlines()[-_LINES:]
