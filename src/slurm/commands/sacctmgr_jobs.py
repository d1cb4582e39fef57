"""sacctmgr modify job: what the database says of jobs that have ended, changed by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from slurm.client.accounting import ClusterAccounting
from slurm.commands import sacctmgr_change
from slurm.commands.shell import Shell
from slurm.model.accounting import JobFilter, JobRow
from slurm.model.ids import JobId
from slurm.notation import jobref, moment
from slurm.options import policy_keys as keys
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved

_WHERE = {"clusters": "clusters", "endtime": "", "jobids": "jobs", "starttime": "", "users": "users", "wckeys": "wckeys"}
_SET = {"admincomment": "admin_comment", "comment": "comment", "derivedexitcode": "derived_status", "derivedes": "derived_status",
    "newwckey": "wckey", "systemcomment": "system_comment", "wckey": "wckey"}


def modify(shell: Shell, resolved: Resolved, line: Sequence[str]) -> int:
    """Carry out what stands behind `modify job`; the exit status."""
    wanted, begun, ended, changes = read(line, shell.now())
    channel = shell.accounting_channel()
    found = [row for row in ClusterAccounting(channel).jobs(wanted) if _between(row, begun, ended)]
    if not found:
        if not resolved.flag("quiet"):
            shell.out("  Nothing modified")
        return 0 if resolved.flag("quiet") else 1
    if not resolved.flag("quiet"):
        shell.out(" Modified jobs...")
        for row in found:
            shell.out(f"  {row.job.id} of {row.cluster}, submitted {moment.show(row.job.submit_time)}, {row.job.user}")
    if not resolved.flag("immediate") and not sacctmgr_change.committed(shell):
        shell.out(" Changes Discarded")
        return 0
    for cluster in dict.fromkeys(row.cluster for row in found):
        channel.call({"type": "ModifyJobs", "cluster": cluster, "changes": changes, "jobs": [
            [row.job.id, row.job.restarts] for row in found if row.cluster == cluster]})
    return 0


def _between(row: JobRow, begun: float, ended: float) -> bool:
    return row.job.start_time >= begun and (not ended or 0 < row.job.end_time < ended)


def read(line: Sequence[str], now: float) -> tuple[JobFilter, float, float, dict[str, str | int]]:
    """(jobs, from when on they began, before when they ended (0: whenever), what they shall say); OptionError in Slurm's words."""
    fields: dict[str, Any] = {}
    times = {"starttime": 0.0, "endtime": 0.0}
    changes: dict[str, str | int] = {}
    setting = False
    for text in line:
        if text.lower() in ("set", "where"):
            setting = text.lower() == "set"
            continue
        word = keys.split(text)
        name = word.name.lower()
        known = _SET if setting else _WHERE
        key = name if name in known else next((one for one in known if len(name) >= 3 and one.startswith(name)), None)
        if key is None:
            raise OptionError(f" Unknown {'option' if setting else 'condition'}: {text}", exit_code=1, bare=True, hints=[
                f"valid: {', '.join(known)}"])
        if setting:
            changes[_SET[key]] = _status(word.value) if _SET[key] == "derived_status" else word.value
        elif key in times:
            times[key] = moment.parse(word.value, now, past=True)
        else:
            fields.setdefault(_WHERE[key], []).extend(_values(key, word.value))
    if not changes:
        raise OptionError(" You didn't give me anything to set", exit_code=1, bare=True, hints=[f"valid: {', '.join(_SET)}"])
    if not (fields or any(times.values())):
        raise OptionError(" You need to say which jobs: name some behind where", exit_code=1, bare=True,
            hints=[f"valid: {', '.join(_WHERE)}"])
    return JobFilter(**fields, steps=False), times["starttime"], times["endtime"], changes


def _values(key: str, text: str) -> list[Any]:
    if key != "jobids":
        return cast("list[Any]", keys.listed(text))
    return [(JobId(one.job), task, None) for each in keys.listed(text) for one in [jobref.parse(each)] for task in (one.tasks or (None,))]


def _status(text: str) -> int:
    """A wait status from "3" or "0:9"."""
    code, _, signal = text.partition(":")
    if not all(part.isascii() and part.isdigit() and int(part[:4]) < most for part, most in ((code, 256), (signal or "0", 128))):
        raise OptionError(f" Bad exit code: {text}", exit_code=1, bare=True,
            hints=["give an exit status, and a signal behind a colon: 3, 0:9"])
    return int(code) << 8 | int(signal or 0)
