"""What accounting tells of the past, asked by Slurm's own commands: jobs of a time, how one of them ended, who used how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from slurm.notation import exitstatus
from slurm.sdk.errors import BackendCommandError
from slurm.sdk.following.inspection import CELL, NO_ACCOUNTING, Ask, JobRecord, UnknownJob, given, number
from slurm.sdk.following.status import Status, normal, sentence

JOBS = ("JobID", "JobName", "User", "Account", "Partition", "State", "ExitCode", "Submit", "Start", "End", "Elapsed", "Timelimit", "NNodes",
    "AllocCPUS", "ReqTRES", "NodeList")
STEPS = ("JobID", "State", "ExitCode", "Elapsed", "Timelimit", "ReqMem", "MaxRSS", "NodeList", "Reason", "User", "JobName", "Partition")
TRES = ("cpu", "mem", "gres/gpu")


class NoAccounting(BackendCommandError):
    """The cluster keeps no accounts of the past."""


class Ending(NamedTuple):
    """How a job ended: its state, and that in sentences."""

    id: str
    name: str
    user: str
    partition: str
    state: str
    reason: str
    lines: list[str]


class Used(NamedTuple):
    """Hours that somebody (`user` "": the whole account) had of a TRES."""

    cluster: str
    account: str
    user: str
    tres: str
    hours: int


def jobs(ask: Ask, *, users: Sequence[str] = (), accounts: Sequence[str] = (), states: Sequence[str] = (), partitions: Sequence[str] = (),
        since: str = "", until: str = "") -> list[JobRecord]:
    """Jobs of a time, in order of their submission; `users` empty: of everybody that one may see. NoAccounting."""
    words = ["sacct", "-n", "-P", "-X", f"--delimiter={CELL}", "-o", ",".join(JOBS), "-E", until or "now"]
    words += ["-S", since] if since else []
    words += ["-u", ",".join(users)] if users else ["-a"]
    for flag, values in (("-A", accounts), ("-s", states), ("-r", partitions)):
        words += [flag, ",".join(values)] if values else []
    return _records(ask, words)


def history(ask: Ask, ids: Sequence[str]) -> list[JobRecord]:
    """What accounting kept of these jobs, [] where no accounting is."""
    try:
        return _records(ask, ["sacct", "-n", "-P", "-X", f"--delimiter={CELL}", "-o", ",".join(JOBS), "-j", ",".join(ids)])
    except NoAccounting:
        return []


def _records(ask: Ask, words: Sequence[str]) -> list[JobRecord]:
    rows = (line.split(CELL) for line in _asked(ask, words).splitlines())
    return [_record(dict(zip(JOBS, cells, strict=True))) for cells in rows if len(cells) == len(JOBS)]


def _record(said: Mapping[str, str]) -> JobRecord:
    found = {name: given(text.strip()) for name, text in said.items()}
    return JobRecord(
        found["JobID"], "", "", said["JobName"], found["User"], normal(said["State"]), "", found["ExitCode"], "", found["Partition"], found["Account"],
        "", found["Submit"], found["Start"], found["End"], found["Elapsed"], found["Timelimit"], number(found["NNodes"]),
        number(found["AllocCPUS"]), found["NodeList"], found["ReqTRES"], "", "", "", "", "", {})


def ending(ask: Ask, id: str) -> Ending:
    """How a job ended that the controller has forgotten. UnknownJob, NoAccounting."""
    words = ["sacct", "-n", "-P", f"--delimiter={CELL}", "-j", id, "-o", ",".join(STEPS)]
    rows = [cells for line in _asked(ask, words).splitlines() if len(cells := line.split(CELL)) == len(STEPS)]
    if not rows:
        raise UnknownJob(f"neither the cluster nor its accounting knows job {id}")
    row, steps = rows[0], [one for one in rows[1:] if one[0].startswith(f"{rows[0][0]}.")]
    _, state, code, elapsed, limit, wanted, _, nodes, reason, user, name, partition = map(given, row)
    state, held = normal(state), [most for one in steps if (most := given(one[6]))]
    lines = [f"it ended {state}" if Status(state).finished else f"it is {state}"]
    if said := sentence(Status(state, code, reason)):
        lines[0] += f": {said}"
    if code not in ("", "0:0"):
        lines.append(_exit(code))
    lines.append(f"it ran {elapsed or '00:00:00'}{f' of at most {limit}' if limit not in ('', 'UNLIMITED', 'Partition_Limit') else ''}{f' on {nodes}' if nodes else ''}")
    if held:
        lines.append(f"its steps held at most {max(held, key=_bytes)} of memory each, {wanted} were asked for" if wanted else
            f"its steps held at most {max(held, key=_bytes)} of memory each")
    for step in steps:
        if normal(step[1]) not in ("COMPLETED", "RUNNING") and step[2] != "0:0":
            lines.append(f"step {step[0].partition('.')[2]} ended {normal(step[1])}: {_exit(step[2])}")
    return Ending(row[0], name, user, partition, state, reason, lines)


def usage(ask: Ask, since: str, until: str = "") -> list[Used]:
    """Who used how much in whole hours of a time, by account and user. NoAccounting."""
    said = _asked(ask, ["sreport", "-n", "-P", "-t", "hours", "-T", ",".join(TRES), "cluster", "AccountUtilizationByUser", f"start={since}",
        f"end={until or 'now'}"])
    rows = (line.split("|") for line in said.splitlines())
    return [Used(cells[0], cells[1], cells[2], cells[4], int(cells[5])) for cells in rows if len(cells) == 6 and cells[5].isdecimal()]


def _asked(ask: Ask, words: Sequence[str]) -> str:
    try:
        return ask(words)
    except BackendCommandError as error:
        if any(known in str(error) for known in NO_ACCOUNTING):
            raise NoAccounting("this cluster keeps no accounts of the past") from error
        raise


def _exit(code: str) -> str:
    """An exit code such as "3:0" or "0:9", in words."""
    number, _, signal = code.partition(":")
    if not (number.isdecimal() and signal.isdecimal()):
        return f"exit code {code}"
    said = exitstatus.from_wait(int(number) << 8 | int(signal)).words()
    return f"exit code {code}: {said[0].lower()}{said[1:]}"


def _bytes(text: str) -> float:
    units = {"K": 1, "M": 1024, "G": 1024**2, "T": 1024**3}
    number = text.rstrip("KMGT")
    return float(number) * units.get(text[-1:], 1 / 1024) if number.replace(".", "", 1).isdecimal() else 0.0
