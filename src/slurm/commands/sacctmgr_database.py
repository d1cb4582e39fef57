"""What sacctmgr asks of slurmdbd itself: is it there, its configuration and counters, which may be cleared, archives, its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from slurm.commands import sacctmgr_words as words
from slurm.commands.shell import Channel, Message, Shell, day_and_time
from slurm.model.version import SLURM_VERSION
from slurm.notation import moment
from slurm.options.errors import OptionError

_PLAIN = {"reconfigure": "ReconfigureDatabaseDaemon", "shutdown": "StopDatabaseDaemon", "clear": "ClearDatabaseStats"}
_STARS = "*" * 67


def show(shell: Shell, entity: str, line: Sequence[str] = ()) -> int:
    """show configuration, show stats [ave_time|total_time]."""
    order = line[0].lower() if line and entity == words.STATS else ""
    if order not in ("", "ave_time", "total_time"):
        raise OptionError(f" Unknown sort: {line[0]}", exit_code=1, bare=True, hints=["valid: ave_time, total_time"])
    channel = shell.accounting_channel()
    try:
        for line in _configuration(shell, channel) if entity == words.CONFIGURATION else _stats(shell, channel, order):
            shell.out(line)
    finally:
        channel.close()
    return 0


def _configuration(shell: Shell, channel: Channel) -> list[str]:
    values = cast("list[list[str]]", channel.call({"type": "ShowDatabaseConfig"}).get("values", []))
    shown = [*((str(name), str(value) or "(null)") for name, value in values), ("SLURMDBD_VERSION", SLURM_VERSION)]
    return [f"Configuration data as of {moment.show(shell.now())}", "", "SlurmDBD configuration:",
        *(f"{name:<22} = {value}" for name, value in shown)]


def _stats(shell: Shell, channel: Channel, order: str) -> list[str]:
    found = cast("dict[str, Any]", channel.call({"type": "ShowDatabaseStats"}))

    def sorted_by(kind: str) -> list[dict[str, Any]]:
        rows = list(found.get(kind, []))
        key = {"ave_time": lambda one: -one["seconds"] / max(1, one["count"]), "total_time": lambda one: -one["seconds"]}.get(order)
        return sorted(rows, key=key) if key is not None else rows

    def stamp(seconds: float) -> str:
        return f"{day_and_time(seconds)} ({int(seconds)})"

    def told(one: dict[str, Any]) -> str:
        count, whole = int(one["count"]), int(one["seconds"] * 1e6)
        return f"\t{one['name']:<25}count:{count:<6} ave_time:{whole // max(1, count):<6} total_time:{whole}"

    lines = [_STARS, f"sacctmgr show stats output at {stamp(shell.now())}", f"Data since                    {stamp(float(found['since']))}",
             "All statistics are in microseconds", _STARS, ""]
    for one in found.get("rollups", []):
        lines += [f"{one['name']} rollup", f"\tTotal time:   {int(one['seconds'] * 1e6)}", f"\tTotal cycles: {one['count']}", ""]
    lines += ["Remote Procedure Call statistics by message type", *map(told, sorted_by("requests")), ""]
    return [*lines, "Remote Procedure Call statistics by user", *map(told, sorted_by("users"))]


def administrate(shell: Shell, what: str, line: Sequence[str]) -> int:
    """ping, reconfigure, shutdown, archive dump|load."""
    channel = shell.accounting_channel()
    try:
        return _administrate(shell, channel, what, line)
    finally:
        channel.close()


def _administrate(shell: Shell, channel: Channel, what: str, line: Sequence[str]) -> int:
    if what == "ping":
        found = channel.call({"type": "PingDatabase"})
        problem = str(found.get("problem", ""))
        shell.out(f"slurmdbd(primary) at {found.get('host', '')} is {'DOWN' if problem else 'UP'}")
        shell.hints([problem] if problem else [])
        return 1 if problem else 0
    if what in _PLAIN:
        if line and what != "clear":
            shell.raw(f"too many arguments for {what} keyword")
            return 1
        channel.call({"type": _PLAIN[what]})
        return 0
    action = line[0].lower() if line else ""
    message: Message
    if action == "dump":
        message = {"type": "ArchiveDump"}
    elif action == "load":
        path = next((word.partition("=")[2] if "=" in word else word for word in line[1:]), "")
        if not path:
            raise OptionError(" archive load: name the file, file=PATH", exit_code=1, bare=True)
        message = {"type": "ArchiveLoad", "path": path}
    else:
        raise OptionError(' No valid entity in archive command\n Input line must include "Dump", or "Load"', exit_code=1, bare=True)
    shell.out(f"SUCCESS: {channel.call(message).get('rows', 0)} rows")
    return 0
