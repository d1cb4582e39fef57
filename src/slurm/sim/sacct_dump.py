"""Workloads as `sacct --parsable2` prints them, from any Slurm: what was asked for, and how long it ran.

    sacct -a -X -P -S now-30days -o JobID,User,Account,Partition,QOS,Submit,Start,End,Timelimit,NNodes,NCPUS,ReqMem,State
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping

from slurm.core.events import Caller
from slurm.model.errors import InvalidRequest, NotationError
from slurm.model.ids import Gid, Uid
from slurm.model.request import JobRequest
from slurm.notation import duration, size
from slurm.sim.engine import Arrival

NEEDED = ("JobID", "Submit", "Start", "End")
COMMAND = "sacct -a -X -P -S now-30days -o JobID,User,Account,Partition,QOS,Submit,Start,End,Timelimit,NNodes,NCPUS,ReqMem,State"
_FIRST_UID = 10_000
_TIME = "%Y-%m-%dT%H:%M:%S"


def is_one(first: str) -> bool:
    """Whether a file that begins with this line is one of these."""
    return "|" in first and "jobid" in first.lower()


def read(lines: Iterable[str], *, exact: bool = False) -> Iterator[Arrival]:
    """Arrivals in the order of their submission; `exact`: users know how long their jobs run. InvalidRequest names a line that is none.

    Steps, and jobs that never started or have not ended, are left out. Memory is asked for where ReqMem says so.
    """
    source = iter(lines)
    names = {name.strip().lower(): place for place, name in enumerate(next(source, "").split("|"))}
    missing = [name for name in NEEDED if name.lower() not in names]
    if missing:
        raise InvalidRequest(message=f"this is no output of sacct --parsable2 with the columns {', '.join(missing)}",
            hints=[f"made by: {COMMAND}"])
    users: dict[str, int] = {}
    found = []
    for number, line in enumerate(source, 2):
        cells = line.rstrip("\n").split("|")
        if len(cells) < len(names):
            if line.strip():
                raise InvalidRequest(message=f"line {number} has {len(cells)} columns of {len(names)}", hints=[line.strip()[:200]])
            continue
        row = {name: cells[place] for name, place in names.items()}
        if "." not in row["jobid"]:
            try:
                arrival = _arrival(row, users, exact)
            except (ValueError, OverflowError, NotationError) as error:
                raise InvalidRequest(message=f"line {number} cannot be read: {error}", hints=[line.strip()[:200]]) from error
            if arrival is not None:
                found.append(arrival)
    found.sort(key=lambda arrival: arrival.at)
    return iter(found)


def _arrival(row: Mapping[str, str], users: dict[str, int], exact: bool) -> Arrival | None:
    if not row["start"][:1].isdigit() or not row["end"][:1].isdigit():
        return None
    submit, start, end = (time.mktime(time.strptime(row[name], _TIME)) for name in ("submit", "start", "end"))
    run = end - start
    if run < 0:
        raise ValueError(f"it ended at {row['end']}, before it started at {row['start']}")
    user = row.get("user") or "nobody"
    uid = users.setdefault(user, _FIRST_UID + len(users))
    limit_text = row.get("timelimit", "")
    limit = None if exact or not limit_text or limit_text == "Partition_Limit" else duration.parse(limit_text)
    nodes, cpus = _whole(row.get("nnodes", "")), _whole(row.get("ncpus", "") or row.get("alloccpus", "")) or 1
    request = JobRequest(
        name=f"job{row['jobid']}"[:64], work_dir="/", ntasks=cpus, nodes_min=nodes, nodes_max=nodes, account=row.get("account", ""),
        partition=row.get("partition", "").partition(",")[0], time_limit=limit if limit is not None else max(60, int(run) + 1))
    memory = row.get("reqmem", "")
    if memory.endswith("c"):
        request.mem_per_cpu = size.parse_mb(memory[:-1])
    elif memory[:1].isdigit() and nodes:
        total = size.parse_mb(memory.removesuffix("n"))
        request.mem_per_node = total if memory.endswith("n") else -(-total // nodes)
    return Arrival(at=submit, request=request, run_seconds=run, caller=Caller(uid=Uid(uid), gid=Gid(_FIRST_UID), user=user, group="users"))


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() else 0
