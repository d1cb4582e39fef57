"""sacctmgr show reservation: what was reserved when, and what of it nobody used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import msgspec

from slurm.client.accounting import ClusterAccounting
from slurm.commands import wanted_style
from slurm.commands.sacctmgr_table import table
from slurm.commands.shell import Shell
from slurm.model.accounting import ReservationFilter, ReservationRow
from slurm.notation import hostlist, moment, tres
from slurm.options import policy_keys as keys
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved
from slurm.render.accounting_table import Column
from slurm.render.fields import Field

_LISTS = {"clusters": "clusters", "ids": "ids", "names": "names", "nodes": "nodes"}


class Shown(NamedTuple):
    """A column by name, title and width."""

    name: str
    title: str
    width: int
    text: Callable[[ReservationRow], str]


def unused_seconds(row: ReservationRow) -> float:
    """Seconds that no job used: what jobs had is counted by the part of its CPUs that they had."""
    cpus = row.tres.get("cpu", 0)
    return max(0.0, (row.reserved.get("cpu", 0) - row.allocated.get("cpu", 0)) / cpus) if cpus else float(row.seconds)


COLUMNS = (
    Shown("Associations", "Assocs", 10, lambda row: ",".join([*row.users, *row.accounts])),
    Shown("Cluster", "Cluster", 10, lambda row: row.cluster),
    Shown("End", "TimeEnd", 19, lambda row: moment.show(row.end)),
    Shown("Flags", "Flags", 20, lambda row: ",".join(row.flags)),
    Shown("ID", "ID", 10, lambda row: str(row.id)),
    Shown("Name", "Name", 10, lambda row: row.name),
    Shown("NodeNames", "NodeNames", -20, lambda row: row.nodes),
    Shown("Start", "TimeStart", 19, lambda row: moment.show(row.start)),
    Shown("TRES", "TRES", 30, lambda row: tres.show(row.tres)),
    Shown("UnusedWall", "UnusedWall", 20, lambda row: f"{unused_seconds(row):.6f}"),
)
"""What format= may name."""
DEFAULT = "cluster,name,tres,start,end,unusedwall"


def show(shell: Shell, resolved: Resolved, words: Sequence[str]) -> int:
    """Show reservations; the exit status."""
    wanted, formats = read(words, shell.now())
    shown = [column(name) for name in (",".join(formats) or DEFAULT).split(",") if name.strip()]
    door = ClusterAccounting(shell.accounting_channel())
    found = door.reservations(wanted)
    structure = wanted_style.structure(resolved)
    if structure:
        from slurm.commands import caller
        from slurm.render import json_text

        rows = cast("json_text.Value", [msgspec.to_builtins(row) for row in found])
        end = json_text.closing(door.cluster, *caller.names(), ["sacctmgr", *shell.argv])
        shell.stdout.write(json_text.encode({"reservations": rows, **end}, structure))
        return 0
    cells = [[one.text(row) for one, _ in shown] for row in found]
    laid = [Column(Field(one.title, "", one.title, ""), width) for one, width in shown]
    return table(shell, resolved, laid, cells)


def read(words: Sequence[str], now: float) -> tuple[ReservationFilter, list[str]]:
    """Which reservations the words behind `show reservation` mean, and the formats among them. OptionError for a word that is none."""
    fields: dict[str, Any] = {"since": moment.parse("midnight", now, past=True), "until": now}
    formats: list[str] = []
    for text in words:
        word = keys.split(text)
        name = word.name.lower()
        if not word.operation:
            if word.value.lower() != "where":
                fields.setdefault("names", []).extend(keys.listed(word.value))
        elif name == "format":
            formats.append(word.value)
        elif name in ("start", "end"):
            fields["since" if name == "start" else "until"] = moment.parse(word.value, now, past=True)
        elif (key := next((one for one in _LISTS if len(name) >= 2 and one.startswith(name)), None)) is not None:
            fields.setdefault(_LISTS[key], []).extend(_list(key, word.value))
        else:
            raise OptionError(f" Unknown condition: {text}", exit_code=1, bare=True, hints=[
                "valid: Clusters, End, Format, ID, Names, Nodes, Start"])
    return ReservationFilter(**fields), formats


def _list(key: str, text: str) -> list[str] | list[int]:
    if key == "nodes":
        return list(hostlist.expand(text, 65_536))
    if key == "ids":
        wrong = [one for one in keys.listed(text) if not (one.isascii() and one.isdigit() and len(one) < 16)]
        if wrong:
            raise OptionError(f" Bad reservation id: {wrong[0]}", exit_code=1, bare=True)
        return [int(one) for one in keys.listed(text)]
    return [name.lower() for name in keys.listed(text)] if key == "clusters" else keys.listed(text)


def column(text: str) -> tuple[Shown, int]:
    """A column of a format and its width; OptionError for one that is not there."""
    name, percent, digits = text.strip().partition("%")
    wanted = name.lower()
    found = next((one for one in COLUMNS if one.name.lower() == wanted), None) or next(
        (one for one in COLUMNS if one.name.lower().startswith(wanted)), None)
    if found is None:
        raise OptionError(f" Unknown field '{name}'", exit_code=1, bare=True, hints=[f"valid: {', '.join(one.name for one in COLUMNS)}"])
    return found, int(digits) if percent and digits.lstrip("-").isdigit() else found.width
