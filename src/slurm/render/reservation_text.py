"""Reservations as users see them: the blocks of `scontrol show reservation`, the lines of `sinfo -T`, JSON."""

from __future__ import annotations

from collections.abc import Iterable

from slurm.core.reserving import windows
from slurm.model.node import Node
from slurm.model.reservation import Reservation
from slurm.notation import duration, hostlist, number_ranges
from slurm.render.json_text import Value, number
from slurm.render.view import View

NULL = "(null)"
NOTHING = "No reservations in the system"


def show(of: Reservation, view: View, detail: bool = False) -> list[str]:
    """A reservation's lines, without their indentation; with `detail`, or where it has only some cores, also which those are."""
    one = windows.window(of, view.now)
    first = (f"ReservationName={of.name} StartTime={view.moment(one.start, 'Unknown')} EndTime={view.moment(one.end, 'Unknown')} "
             f"Duration={duration.show_clock(int(one.end) - int(one.start))}")
    second = (f"Nodes={hostlist.compress(of.nodes) or NULL} NodeCnt={len(of.nodes)} CoreCnt={of.cores} Features={of.features or NULL} "
              f"PartitionName={of.partition or NULL} Flags={flags(of)}")
    cores = [f"  NodeName={name} CoreIDs={core_ids(view.nodes[name], of)}" for name in of.nodes if name in of.cpus and name in view.nodes]
    third = f"TRES=cpu={cpus(of, view)}" if of.nodes else f"TRES={NULL}"
    whose = f"AllowedPartitions={NULL} QOS={listed(of, 'qos')}"
    fourth = (f"Users={listed(of, 'users')} Groups={listed(of, 'groups')} Accounts={listed(of, 'accounts')} Licenses={NULL} "
              f"State={state(of, view)} BurstBuffer={NULL}")
    last = f"MaxStartDelay={duration.show_clock(of.max_start_delay) if of.max_start_delay else NULL}"
    return [first, second, *cores, third, whose, fourth, last, *([f"Comment={of.comment}"] if of.comment else [])]


def state(of: Reservation, view: View) -> str:
    """ACTIVE or INACTIVE."""
    return "ACTIVE" if windows.active(of, view.now) else "INACTIVE"


def flags(of: Reservation) -> str:
    """Its flags as Slurm shows them."""
    return ",".join(f"{flag}={duration.show_clock(of.purge_after)}" if flag == "PURGE_COMP" else flag for flag in of.flags)


def listed(of: Reservation, what: str) -> str:
    """Users, groups, accounts or QOS; those who may not use it with a minus."""
    names: list[str] = getattr(of, what)
    return ",".join(f"-{name}" if what in of.denied else name for name in names) or NULL


def cpus(of: Reservation, view: View) -> int:
    """How many CPUs it has."""
    return sum(len(of.cpus[name]) if name in of.cpus else view.nodes[name].cpus for name in of.nodes if name in view.nodes)


def core_ids(node: Node, of: Reservation) -> str:
    """The numbers of its cores on a node."""
    return number_ranges.show(sorted({cpu // node.threads_per_core for cpu in of.cpus[node.name]}))


def table(reservations: Iterable[Reservation], view: View, *, header: bool = True) -> list[str]:
    """The lines of `sinfo -T`."""
    rows = [
        (of.name, state(of, view), view.moment(one.start, "Unknown"), view.moment(one.end, "Unknown"),
         duration.show_clock(int(one.end) - int(one.start)), hostlist.compress(of.nodes))
        for of in reservations for one in (windows.window(of, view.now),)]
    if not rows:
        return [NOTHING]
    width = max(len("RESV_NAME"), *(len(row[0]) for row in rows))
    heads = [("RESV_NAME", "STATE", "START_TIME", "END_TIME", "DURATION", "NODELIST")] if header else []
    return [f"{name:<{width}}  {word:>8}  {start:>19}  {end:>19}  {length:>11}  {nodes}" for name, word, start, end, length,
        nodes in (*heads, *rows)]


def record(of: Reservation, view: View) -> Value:
    """As JSON has it."""
    one = windows.window(of, view.now)
    return {
        "accounts": _plain(of, "accounts"),
        "burst_buffer": "",
        "core_count": of.cores,
        "core_specializations": [
            {"node": name, "core": core_ids(view.nodes[name], of)} for name in of.nodes if name in of.cpus and name in view.nodes],
        "end_time": number(one.end),
        "features": of.features,
        "flags": [*of.flags],
        "groups": _plain(of, "groups"),
        "licenses": "",
        "max_start_delay": of.max_start_delay,
        "name": of.name,
        "node_count": len(of.nodes),
        "node_list": hostlist.compress(of.nodes),
        "partition": of.partition,
        "purge_completed": {"time": number(of.purge_after)},
        "start_time": number(one.start),
        "tres": f"cpu={cpus(of, view)}" if of.nodes else "",
        "users": _plain(of, "users"),
    }


def _plain(of: Reservation, what: str) -> str:
    text = listed(of, what)
    return "" if text == NULL else text
