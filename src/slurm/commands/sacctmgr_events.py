"""sacctmgr show event: what befell clusters and nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import msgspec

from slurm.client.accounting import ClusterAccounting
from slurm.commands import wanted_style
from slurm.commands.sacctmgr_table import table
from slurm.commands.shell import Shell
from slurm.model.accounting import EventFilter, EventRow
from slurm.notation import duration, moment, tres
from slurm.options import policy_keys as keys
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved
from slurm.render.accounting_table import Column
from slurm.render.fields import Field

_LISTS = {"clusters": "clusters", "nodes": "nodes", "reason": "reasons", "states": "states", "user": "users"}
_DAY = 86400.0


class Shown(NamedTuple):
    """A column by name, title and width; the text of an event at a moment."""

    name: str
    title: str
    width: int
    text: Callable[[EventRow, float], str]


def _user(event: EventRow, now: float) -> str:
    return f"{event.user}({event.uid})" if event.node else ""


COLUMNS = (
    Shown("Cluster", "Cluster", 10, lambda event, now: event.cluster), Shown("ClusterNodes", "Cluster Nodes", 20, lambda event,
    now: event.nodes),
    Shown("Duration", "Duration", 13, lambda event, now: duration.show_clock(int((event.end or now) - event.start))),
    Shown("End", "TimeEnd", 19, lambda event, now: moment.show(event.end) if event.end else "Unknown"),
    Shown("TimeEnd", "TimeEnd", 19, lambda event, now: moment.show(event.end) if event.end else "Unknown"),
    Shown("Event", "Event", 7, lambda event, now: "Node" if event.node else "Cluster"),
    Shown("EventRaw", "EventRaw", 8, lambda event, now: "2" if event.node else "1"),
    Shown("NodeName", "NodeName", -15, lambda event, now: event.node),
    Shown("Reason", "Reason", 30, lambda event, now: event.reason), Shown("Start", "TimeStart", 19, lambda event,
    now: moment.show(event.start)),
    Shown("TimeStart", "TimeStart", 19, lambda event, now: moment.show(event.start)),
    Shown("State", "State", 6, lambda event, now: event.state),
    Shown("TRES", "TRES", 10, lambda event, now: tres.show(event.tres) if event.tres else ""), Shown("User", "User", 10, _user))
"""What format= may name."""
DEFAULT = "cluster,nodename,timestart,timeend,state,reason,user"


def show(shell: Shell, resolved: Resolved, words: Sequence[str]) -> int:
    """Show events; the exit status."""
    wanted, formats = read(words, shell.now())
    shown = [column(name) for name in (",".join(formats) or DEFAULT).split(",") if name.strip()]
    door = ClusterAccounting(shell.accounting_channel())
    structure = wanted_style.structure(resolved)
    if structure:
        from slurm.commands import caller
        from slurm.render import json_text

        found = cast("json_text.Value", [msgspec.to_builtins(event) for event in door.events(wanted)])
        end = json_text.closing(door.cluster, *caller.names(), ["sacctmgr", *shell.argv])
        shell.stdout.write(json_text.encode({"events": found, **end}, structure))
        return 0
    now = shell.now()
    rows = [[one.text(event, now) for one, _ in shown] for event in door.events(wanted)]
    laid = [Column(Field(one.title, "", one.title, ""), width) for one, width in shown]
    return table(shell, resolved, laid, rows)


def read(words: Sequence[str], now: float) -> tuple[EventFilter, list[str]]:
    """Which events the words behind `show event` mean, and the formats among them. OptionError for a word that is none."""
    fields: dict[str, Any] = {}
    formats: list[str] = []
    for text in words:
        word = keys.split(text)
        name = word.name.lower()
        if not word.operation:
            _flag(fields, word.value)
        elif name == "format":
            formats.append(word.value)
        elif name in ("start", "end"):
            fields["since" if name == "start" else "until"] = moment.parse(word.value, now, past=True)
        elif name == "condflags" and word.value.lower() == "open":
            fields["open_only"] = True
        elif len(name) >= 3 and "event".startswith(name):
            kind = word.value.lower()
            if kind not in ("cluster", "node"):
                raise OptionError(f" Unknown event type: {word.value}", exit_code=1, bare=True, hints=["valid: cluster, node"])
            fields["kind"] = kind
        elif (key := next((one for one in _LISTS if len(name) >= 3 and one.startswith(name)), None)) is not None:
            fields.setdefault(_LISTS[key], []).extend(_list(key, word.value))
        else:
            raise OptionError(f" Unknown condition: {text}", exit_code=1, bare=True, hints=[
                "valid: all_clusters, all_time, Clusters, CondFlags=Open, End, Event, Format, Nodes, Reason, Start, States, User"])
    _period(fields, now)
    return EventFilter(**fields), formats


def _flag(fields: dict[str, Any], text: str) -> None:
    word = text.lower()
    if word == "where":
        return
    if len(word) >= 5 and "all_clusters".startswith(word):
        fields["all_clusters"] = True
    elif len(word) >= 5 and "all_time".startswith(word):
        fields["since"] = 0.0
    else:
        fields.setdefault("nodes", []).extend(_list("nodes", text))


def _list(key: str, text: str) -> list[str]:
    if key == "nodes":
        from slurm.notation import hostlist

        return hostlist.expand(text, 65_536)
    return [name.lower() for name in keys.listed(text)] if key == "clusters" else keys.listed(text)


def _period(fields: dict[str, Any], now: float) -> None:
    """Since the day before began, up to now; where states are asked for, or what is open, what is so now."""
    if "since" in fields:
        return
    if fields.get("states") or fields.get("open_only"):
        fields["since"] = fields.get("until") or now
    else:
        fields["since"] = moment.parse("today", now) - _DAY


def column(text: str) -> tuple[Shown, int]:
    """A column of a format and its width; OptionError for one that is not there."""
    name, percent, digits = text.strip().partition("%")
    wanted = name.lower().replace(" ", "")
    found = next((one for one in COLUMNS if one.name.lower() == wanted), None) or next(
        (one for one in COLUMNS if one.name.lower().startswith(wanted)), None)
    if found is None:
        raise OptionError(f" Unknown field '{name}'", exit_code=1, bare=True, hints=[f"valid: {', '.join(one.name for one in COLUMNS)}"])
    return found, int(digits) if percent and digits.lstrip("-").isdigit() else found.width
