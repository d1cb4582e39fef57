"""`sacct --completion`: what JobCompType=jobcomp/filetxt wrote, read back from its file: no daemon is asked, so whoever may read the file
may look."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import datetime

from slurm.commands import past_jobs
from slurm.commands.shell import Shell
from slurm.config.keys import read_keys
from slurm.model.accounting import JobFilter
from slurm.model.errors import ConfigError
from slurm.net import discovery
from slurm.notation import duration
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved
from slurm.render import accounting_table, fields_accounting
from slurm.render.accounting_table import Column

DEFAULT = "jobid,uid,jobname,partition,nnodes,nodelist,state,end"
LOG = "/var/log/slurm_jobcomp.log"
_FIELD = re.compile(r"(\w+)=(.*?) (?=[A-Z]\w+=|$)")
_OF_FIELD = {
    "account": "Account", "alloccpus": "ProcCnt", "allocnodes": "NodeCnt", "alloctres": "Tres", "cluster": "Cluster",
    "derivedexitcode": "DerivedExitCode", "eligible": "EligibleTime", "end": "EndTime", "exitcode": "ExitCode", "jobidraw": "JobId",
    "jobname": "Name",
    "ncpus": "ProcCnt", "nnodes": "NodeCnt", "nodelist": "NodeList", "partition": "Partition", "qos": "QOS",
    "reservation": "ReservationName",
    "start": "StartTime", "state": "JobState", "submit": "SubmitTime", "wckey": "WcKey", "workdir": "WorkDir",
}
"""Field of sacct → what it is called in a line of the log. Those that take more are in `_cell`."""
_MADE = ("jobid", "user", "uid", "group", "gid", "elapsed", "timelimit")


def lines(shell: Shell, resolved: Resolved) -> Iterator[str]:
    """The lines of the answer; OptionError for a field that the log has not, or a log that cannot be read."""
    columns = _columns(resolved)
    wanted = past_jobs.question(shell, resolved).filters[0]
    cells = ([_cell(record, column.field.name.lower()) for column in columns] for record in _records(_path(shell, resolved))
        if _matches(record, wanted))
    header = not resolved.flag("noheader")
    if resolved.flag("parsable") or resolved.flag("parsable2"):
        return accounting_table.parsable(
            columns, cells, header=header, delimiter=resolved.text("delimiter", "|"), ending=not resolved.flag("parsable2"))
    return accounting_table.lines(columns, cells, header=header)


def _columns(resolved: Resolved) -> list[Column]:
    text = resolved.text("format") if resolved.settings.get("format") is not None else "jobid,state,exitcode" if resolved.flag(
        "brief") else DEFAULT
    columns = accounting_table.parse(text, fields_accounting.JOB)
    for column in columns:
        if column.field.name.lower() not in (*_MADE, *_OF_FIELD):
            raise OptionError(f"{column.field.name} is not in a job completion log", exit_code=1, hints=[
                f"it has: {', '.join(sorted((*_MADE, *_OF_FIELD)))}", "sacct without --completion asks accounting, which has every field"])
    return columns


def _path(shell: Shell, resolved: Resolved) -> str:
    if resolved.settings.get("file") is not None:
        return resolved.text("file")
    keys = read_keys(discovery.find_site(shell.environ).conf)
    kind = keys.text("JobCompType").lower().rpartition("/")[2]
    if kind != "filetxt":
        raise ConfigError(message=f"JobCompType={keys.text('JobCompType') or 'jobcomp/none'} writes no log that can be read back", hints=[
            "JobCompType=jobcomp/filetxt does; --file=FILE names a log; sacct without --completion asks accounting"])
    return keys.text("JobCompLoc") or LOG


def _records(path: str) -> Iterator[dict[str, str]]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                found = dict(_FIELD.findall(line.rstrip("\n").rstrip(" ") + " "))
                if "JobId" in found:
                    yield found
    except OSError as error:
        raise OptionError(f"{path}: {os.strerror(error.errno or 0)}", exit_code=1) from error


def _matches(record: Mapping[str, str], wanted: JobFilter) -> bool:
    user, uid = _named(record.get("UserId", ""))
    group = _named(record.get("GroupId", ""))[1]
    job, array, task = (record.get(name, "") for name in ("JobId", "ArrayJobId", "ArrayTaskId"))
    ended = _seconds(record.get("EndTime", ""))
    if wanted.jobs and not any(str(number) == job or (str(number) == array and each in (None, _number(task))) for number, each,
            _ in wanted.jobs):
        return False
    if not wanted.jobs and (ended < wanted.since or (wanted.until and ended > wanted.until)):
        return False
    if (wanted.users or wanted.uids) and user not in wanted.users and _number(uid) not in wanted.uids:
        return False
    states = {state.name for state in wanted.states}
    return ((not states or record.get("JobState", "") in states) and (not wanted.gids or _number(group) in wanted.gids)
            and all(not words or record.get(name, "") in words for words, name in (
                (wanted.partitions, "Partition"), (wanted.accounts, "Account"), (wanted.names, "Name"), (wanted.qos, "QOS"),
                (wanted.wckeys, "WcKey"))))


def _cell(record: Mapping[str, str], name: str) -> str:
    if name in ("user", "uid"):
        return _named(record.get("UserId", ""))[name == "uid"]
    if name in ("group", "gid"):
        return _named(record.get("GroupId", ""))[name == "gid"]
    if name == "jobid":
        return f"{record['ArrayJobId']}_{record.get('ArrayTaskId', '')}" if "ArrayJobId" in record else record["JobId"]
    if name == "elapsed":
        return duration.show_clock(max(0.0, _seconds(record.get("EndTime", "")) - _seconds(record.get("StartTime", ""))))
    if name == "timelimit":
        minutes = record.get("TimeLimit", "")
        return duration.show_clock(60 * int(minutes)) if minutes.isdecimal() else minutes
    text = record.get(_OF_FIELD[name], "")
    return "Unknown" if text == "unknown" else "None assigned" if name == "nodelist" and text == "(null)" else text


def _named(text: str) -> tuple[str, str]:
    """("alice", "1000") of "alice(1000)"."""
    name, _, number = text.rpartition("(")
    return name, number.rstrip(")")


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _seconds(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0
