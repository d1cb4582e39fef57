"""Reservations as users see them, against what Slurm printed."""

from dataclasses import replace

import pytest

from slurm.core.events import Caller
from slurm.model.cpu_set import CpuSet
from slurm.model.ids import Gid, NodeName, Uid
from slurm.model.reservation import Reservation
from slurm.model.states import NodeState
from slurm.render import describe, reservation_text
from slurm.render.node_state import status
from slurm.render.view import View
from slurm.wire.messages import Describe
from tests.compat import lab
from tests.compat.transcript import Entry, transcript

ROOT = Caller(uid=Uid(0), gid=Gid(0), user="root")
HOUR = 3600.0
NODES = [NodeName(f"cn0{i}") for i in (1, 2, 3, 4)]
MAINTENANCE = Reservation(
    id=3, name="maintenance", start=lab.RESERVED - 6924, end=lab.RESERVED - 6924 + 2 * HOUR, nodes=NODES, cores=64, users=["root"],
    flags=["MAINT", "IGNORE_JOBS", "SPEC_NODES", "ALL_NODES"])
SECOND = Reservation(id=4, name="alice_4", start=lab.RESERVED + 277, end=lab.RESERVED + 277 + HOUR, nodes=NODES[1:2], cores=16, node_count=1, partition="debug", users=["alice"])


def view(*reservations: Reservation) -> View:
    return replace(lab.view(), reservations={of.name: of for of in reservations})


def recorded(source: str, command: str) -> Entry:
    return next(entry for entry in transcript(source) if entry.command == command)


@pytest.mark.parametrize(("command", "oneline"), [("scontrol show reservation", False), ("scontrol show res -o", True)])
def test_scontrol_shows_what_slurm_shows(command: str, oneline: bool) -> None:
    shown = describe.describe(view(lab.RESERVATION, MAINTENANCE, SECOND), Describe(what="reservation", oneline=oneline), ROOT, lab.EARLY)
    assert [line.rstrip() for line in shown.text.rstrip().splitlines()] == [line.rstrip() for line in "\n".join(recorded("scontrol", command).stdout).rstrip().splitlines()]


@pytest.mark.parametrize(("source", "reservations"), [("sinfo", (lab.RESERVATION,)), ("scontrol", (lab.RESERVATION, SECOND))])
def test_the_table_is_slurms(source: str, reservations: tuple[Reservation, ...]) -> None:
    assert tuple(reservation_text.table(reservations, view(*reservations))) == recorded(source, "sinfo -T").stdout


def test_without_any_that_is_said_and_an_unknown_one_is_not_found() -> None:
    assert reservation_text.table([], view()) == ["No reservations in the system"]
    shown = describe.describe(view(), Describe(what="reservation", names=["nosuch"]), ROOT, lab.EARLY)
    assert (shown.text, shown.exit_code) == ("Reservation nosuch not found\n", 1)


def test_cores_denied_users_and_a_comment_are_shown() -> None:
    of = Reservation(id=1, name="r", start=lab.EARLY, end=lab.EARLY + HOUR, nodes=NODES[:1], cpus={NODES[0]: CpuSet.of([0, 1, 2, 5])}, cores=4, core_count=4, users=["bob"],
                     denied=["users"], flags=["PURGE_COMP"], purge_after=300, comment="mends")
    lines = reservation_text.show(of, view(of))
    assert "  NodeName=cn01 CoreIDs=0-2,5" in lines and lines[-1] == "Comment=mends"
    assert "Flags=PURGE_COMP=00:05:00" in lines[1] and any("Users=-bob" in line and "State=ACTIVE" in line for line in lines)


@pytest.mark.parametrize(("flags", "busy", "state", "short", "complete"), [
    (["MAINT"], False, NodeState.IDLE, "maint", "IDLE+MAINTENANCE+RESERVED"), (["MAINT"], True, NodeState.IDLE, "mix$", "MIXED+MAINTENANCE+RESERVED"),
    ([], False, NodeState.IDLE, "resv", "IDLE+RESERVED"), ([], True, NodeState.IDLE, "mix", "MIXED+RESERVED"), (["MAINT"], False, NodeState.DOWN, "down$", "DOWN+MAINTENANCE+RESERVED")])
def test_nodes_show_the_reservation_that_runs_on_them(flags: list[str], busy: bool, state: NodeState, short: str, complete: str) -> None:
    of = Reservation(id=1, name="r", start=lab.EARLY, end=lab.EARLY + HOUR, nodes=[NODES[2]], flags=flags)
    seen = view(of)
    node = seen.nodes[NODES[2]]
    node.state, node.cpus_used, node.drain = state, CpuSet.of([0]) if busy else CpuSet(0), False
    found = status(node, seen)
    assert (found.short, found.complete) == (short, complete)
    later = Reservation(id=1, name="r", start=lab.EARLY + 60, end=lab.EARLY + HOUR, nodes=[NODES[2]], flags=flags)
    assert not {"reserved", "maintenance"} & set(status(node, view(later)).flags)


def test_json_has_the_fields_of_the_specification() -> None:
    assert set(reservation_text.record(MAINTENANCE, view())) == {  # type: ignore[call-overload]
        "accounts", "burst_buffer", "core_count", "core_specializations", "end_time", "features", "flags", "groups", "licenses", "max_start_delay", "name", "node_count", "node_list",
        "partition", "purge_completed", "start_time", "tres", "users"}
