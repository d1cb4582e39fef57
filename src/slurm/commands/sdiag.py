"""sdiag: asks slurmctld for its counters and shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from slurm.commands import wanted_style
from slurm.commands.shell import Shell, day_and_time, informed, notes, run
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved, resolve
from slurm.render import statistics

_ORDERS = {"sort_by_id": statistics.BY_ID, "sort_by_time": statistics.BY_TIME, "sort_by_time2": statistics.BY_AVERAGE}


def main(shell: Shell | None = None) -> int:
    """Runs sdiag and returns its exit status."""
    return run(shell or Shell.of_process("sdiag"), _sdiag, usage_code=1)


def _sdiag(shell: Shell) -> int:
    resolved = resolve("sdiag", shell.argv, shell.environ, now=shell.now())
    if informed(shell, resolved):
        return 0
    if resolved.rest:
        raise OptionError(f"Unrecognized option: {resolved.rest[0]}", exit_code=1)
    notes(shell, resolved)
    names = resolved.text("cluster")
    if names:
        from slurm.commands import clusters

        _, shell = clusters.one(shell, names)
    counters = _counters(shell, resolved.flag("reset"))
    if resolved.flag("reset"):
        shell.out("Reset scheduling statistics")
        return 0
    style = wanted_style.structure(resolved)
    if style:
        return _structured(shell, counters, style)
    clock = {key: day_and_time(statistics.number(counters, key)) for key in ("req_time", "req_time_start", "job_states_ts",
        "bf_when_last_cycle")}
    for line in statistics.lines(counters, clock, _order(resolved)):
        shell.stdout.write(f"{line}\n")
    return 0


def _order(resolved: Resolved) -> str:
    return next((order for key, order in _ORDERS.items() if resolved.flag(key)), statistics.BY_COUNT)


def _counters(shell: Shell, reset: bool) -> Mapping[str, object]:
    channel = shell.channel()
    try:
        reply = channel.call({"type": "ReadStatistics", "reset": True} if reset else {"type": "ReadStatistics"})
    finally:
        channel.close()
    if reply.get("trouble"):
        shell.hints([str(reply["trouble"])])
    found = reply.get("statistics", {})
    return found if isinstance(found, Mapping) else {}


def _structured(shell: Shell, counters: Mapping[str, object], style: str) -> int:
    from slurm.commands import caller
    from slurm.render import json_text

    end = json_text.closing(str(counters.get("cluster", "")), *caller.names(), ["sdiag", *shell.argv])
    record = cast("json_text.Value", statistics.record(counters))
    shell.stdout.write(json_text.encode({"statistics": record, **end}, style))
    return 0
