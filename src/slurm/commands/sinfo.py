"""sinfo: asks slurmctld for rows about partitions and nodes and lays them out."""

from __future__ import annotations

from slurm.commands import report, wanted_style
from slurm.commands.shell import Channel, Message, Shell, informed, notes, run
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved, resolve
from slurm.render import fields, format
from slurm.render.format import Layout

_NONE = [""]
"""The names of an empty list, such as "" for a variable that is not set: nothing is called so."""


def main(shell: Shell | None = None) -> int:
    """Runs sinfo and returns its exit status."""
    return run(shell or Shell.of_process("sinfo"), _sinfo, usage_code=1)


def _sinfo(shell: Shell) -> int:
    resolved = resolve("sinfo", shell.argv, shell.environ, now=shell.now())
    if informed(shell, resolved):
        return 0
    if resolved.flag("helpFormat") or resolved.flag("helpformat"):
        shell.stdout.write("".join(f"{line}\n" for line in format.names_in_columns(fields.NODE.names())))
        return 0
    if resolved.flag("helpstate"):
        from slurm.render.node_state import STATE_WORDS

        shell.stdout.write("".join(f"{name}\n" for name in STATE_WORDS))
        return 0
    notes(shell, resolved)
    names = resolved.text("clusters")
    if not names:
        return _shown(shell, resolved)
    from slurm.commands import clusters

    clusters.once(resolved.number("iterate"), names)
    return clusters.each(shell, names, lambda there: _shown(there, resolved), heading=not wanted_style.structure(resolved))


def _shown(shell: Shell, resolved: Resolved) -> int:
    """What is asked for, of one cluster."""
    style = wanted_style.structure(resolved)
    if style:
        return report.repeatedly(shell, resolved.number("iterate"), lambda channel: _structured(shell, channel, resolved, style))
    if resolved.flag("reservation"):
        return report.repeatedly(shell, resolved.number("iterate"), lambda channel: _reservations(shell, channel, resolved))
    if resolved.flag("long") and any(report.written(shell, resolved, key) for key in ("format", "Format")):
        raise OptionError(report.EXCLUSIVE, exit_code=1, fatal=True)
    own = any(resolved.flag(key) for key in ("Node", "list_reasons", "summarize"))
    layout = report.layout_of(shell, resolved, fields.NODE, _default_format(resolved), format.ALL_NODES, own=own)
    request = _request(shell, resolved, layout)
    return report.repeatedly(
        shell, resolved.number("iterate"), lambda channel: _table(shell, channel, resolved, layout, request))


def _default_format(resolved: Resolved) -> str:
    long = resolved.flag("long")
    if resolved.flag("Node"):
        return format.NODES_BY_NODE_LONG if long else format.NODES_BY_NODE
    if resolved.flag("list_reasons"):
        return format.REASONS_LONG if long else format.REASONS
    if resolved.flag("summarize"):
        return format.NODES_SUMMARY
    return format.NODES_LONG if long else format.NODES


def _request(shell: Shell, resolved: Resolved, layout: Layout) -> Message:
    request: Message = {
        "type": "ListNodes", "fields": layout.names, "sort": resolved.text("sort"), "by_node": resolved.flag("Node"),
        "exact": resolved.flag("exact"), "reasons": resolved.flag("list_reasons"), "summarize": resolved.flag("summarize"),
        "show_hidden": resolved.flag("all") and not resolved.flag("hide"), **_conditions(resolved),
        **wanted_style.request_style(shell, resolved),
    }
    request.pop("array_length", None)
    if resolved.flag("responding") != resolved.flag("dead"):
        request["responding"] = resolved.flag("responding")
    return request


def _conditions(resolved: Resolved) -> Message:
    conditions: Message = {}
    if resolved.settings.get("partition") is not None:
        conditions["partitions"] = resolved.texts("partition") or _NONE
    states = resolved.texts("states")
    if states:
        conditions["states"] = states
    elif resolved.flag("future"):
        conditions["states"] = ["all"]
    if resolved.settings.get("nodes") is not None:
        from slurm.notation import hostlist

        conditions["nodes"] = hostlist.expand(resolved.text("nodes")) or _NONE
    if resolved.settings.get("states") is not None and not states:
        conditions["nodes"] = _NONE
    return conditions


def _table(shell: Shell, channel: Channel, resolved: Resolved, layout: Layout, request: Message) -> int:
    rows = report.rows_of(channel.call(request))
    heading = not resolved.flag("noheader")
    if heading and (resolved.flag("long") or resolved.number("iterate")):
        shell.out(report.date_line(shell))
    shell.stdout.write("".join(f"{line}\n" for line in format.lines(layout, rows, header=heading)))
    return 0


def _reservations(shell: Shell, channel: Channel, resolved: Resolved) -> int:
    """`-T`: a line for each reservation in the place of nodes; without a header with -h."""
    request: Message = {"type": "Describe", "what": "reservation_table", "oneline": resolved.flag("noheader"),
        **wanted_style.request_style(shell, resolved)}
    request.pop("convert", None)
    shell.stdout.write(str(channel.call(request).get("text", "")))
    return 0


def _structured(shell: Shell, channel: Channel, resolved: Resolved, style: str) -> int:
    request: Message = {
        "type": "Describe", "what": "sinfo_json", "format": style, "filter": _conditions(resolved), "arguments": ["sinfo", *shell.argv]}
    shell.stdout.write(str(channel.call(request).get("text", "")))
    return 0
