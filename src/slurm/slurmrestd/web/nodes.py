"""Nodes and partitions: what they are, what runs there, and taking nodes out of service and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from slurm.model.errors import InvalidRequest, NotFound
from slurm.slurmrestd.web.node_list import nodes
from slurm.slurmrestd.web.overview import totals
from slurm.slurmrestd.web.queue import partitions
from slurm.slurmrestd.web.visit import Moved, Page, Paging, Visit, local
from slurm.wire.messages import JobFilter

SIZE, MOST = 100, 500
_PARTITION = ("PartitionName", "Available", "Time", "NodeAIOT", "CPUsState", "PriorityTier", "NodeList")
STATES = {"drain": "Draining", "resume": "Resumed", "down": "Set down"}


def show(visit: Visit) -> Page:
    """GET /nodes."""
    found = nodes(visit, partition=visit.asked("partition"))
    states = sorted({one.word for one in found})
    wanted = visit.asked("state")
    shown = [one for one in found if not wanted or one.word == wanted]
    first, size = visit.number("from", 0, 1_000_000), max(1, visit.number("rows", SIZE, MOST))
    paging = Paging(first, size, len(shown), {
        "before": _place(visit, first - size) if first else "", "after": _place(visit, first + size) if first + size < len(shown) else ""})
    return Page("nodes.html", {
        "title": "Nodes", "nodes": found, "shown": shown[first:first + size], "totals": totals(found), "paging": paging, "states": states,
        "partitions": [dict(zip(_PARTITION, row, strict=True)) for row in visit.doors.cluster.nodes(_PARTITION, summarize=True)],
        "names": partitions(visit), "asked": {"state": wanted, "partition": visit.asked("partition")}})


def node_map(visit: Visit) -> Page:
    """GET /nodes/map: the map of many nodes, loaded after the page."""
    return Page("map.html", {"nodes": nodes(visit, partition=visit.asked("partition"))})


def _place(visit: Visit, first: int) -> str:
    kept = {name: visit.asked(name) for name in ("state", "partition", "rows") if visit.asked(name)}
    return "/nodes?" + urlencode({**kept, "from": max(0, first)})


def show_one(visit: Visit) -> Page:
    """GET /node/NAME."""
    name = visit.path["name"]
    found: list[Mapping[str, Any]] = visit.doors.cluster.report("nodes_json", [name])["nodes"]
    if len(found) != 1:
        raise NotFound("ESLURM_INVALID_NODE_NAME", hints=[f"there is no node {name[:64]}"])
    lines = nodes(visit, names=(name,))
    jobs = visit.doors.cluster.jobs(
        ["JobArrayIdBare", "State", "Name", "UserName", "TimeUsed", "TimeLeft", "NumCPUs"], JobFilter(nodes=[name]), most=MOST)
    return Page("node.html", {"title": name, "node": found[0], "line": lines[0] if lines else None, "jobs": jobs})


def change(visit: Visit) -> Moved:
    """POST /nodes: drain nodes with a reason, or have them back."""
    named = [*visit.form.get("node", []), *([visit.given("more")] if visit.given("more") else [])]
    action, reason = visit.given("action"), visit.given("reason")
    if action not in STATES:
        raise InvalidRequest(message=f"There is nothing called {action[:32]!r} to do to nodes", hints=[f"valid: {', '.join(STATES)}"])
    if not named:
        raise InvalidRequest(message="No node is ticked", hints=["tick the nodes that are meant, then press the button again"])
    if action != "resume" and not reason:
        raise InvalidRequest(message="A node goes out of service with a reason", hints=["write what is wrong, for those who find it so"])
    listed = ",".join(named)
    visit.doors.cluster.update_nodes(listed, {"State": action.upper(), **({"Reason": reason} if action != "resume" else {})})
    shown = listed if len(named) < 6 else f"{len(named)} nodes"
    visit.session.tell("done", f"{STATES[action]}: {shown}")
    return Moved(local(visit.given("next"), "/nodes"))
