"""For administrators: whether daemons answer, how busy they are, what is wrong with nodes, and the configuration."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from slurm.model.errors import SlurmError
from slurm.render import statistics
from slurm.slurmrestd.web.visit import Page, Visit

TOP = 15
_COUNTERS = (
    ("jobs_submitted", "Jobs submitted"), ("jobs_started", "Jobs started"), ("jobs_completed", "Jobs completed"),
    ("jobs_canceled", "Jobs cancelled"), ("jobs_failed", "Jobs failed"), ("jobs_pending", "Jobs waiting"), ("jobs_running", "Jobs running"),
    ("agent_queue_size", "Messages to nodes that wait"), ("dbd_agent_queue_size", "Records that wait for slurmdbd"),
    ("schedule_cycle_last", "Last quick plan, µs"), ("schedule_cycle_max", "Longest quick plan, µs"),
    ("bf_cycle_last", "Last full plan, µs"), ("bf_cycle_max", "Longest full plan, µs"), ("bf_backfilled_jobs", "Jobs backfilled"))


def show(visit: Visit) -> Page:
    """GET /diagnostics."""
    cluster = visit.doors.cluster
    began = time.perf_counter()
    ping = cluster.ping()
    latency = (time.perf_counter() - began) * 1000
    counters = statistics.record(cluster.counters())
    requests: Sequence[Mapping[str, Any]] = counters.get("rpcs_by_message_type", [])  # type: ignore[assignment]
    busiest = sorted(requests, key=lambda row: -row["total_time"])[:TOP]
    return Page("diagnostics.html", {
        "title": "Diagnostics", "ping": ping, "latency": latency, "since": visit.now - ping.started if ping.started else 0,
        "counters": [(words, counters[name]) for name, words in _COUNTERS if isinstance(counters.get(name), int)], "requests": busiest,
        "database": _database(visit), "reasons": cluster.nodes(["NodeList", "StateLong", "Reason", "User", "TimeStamp"], reasons=True)})


def _database(visit: Visit) -> tuple[Mapping[str, object], str]:
    """What slurmdbd says of itself, and why it does not."""
    try:
        found = visit.doors.daemon.ping()
    except SlurmError as error:
        return {}, "; ".join([error.message, *error.hints])
    return {name: getattr(found, name) for name in found.__struct_fields__ if getattr(found, name) not in ("", None)}, ""


def configuration(visit: Visit) -> Page:
    """GET /diagnostics/config: what `scontrol show config` prints."""
    return Page("script.html", {"text": visit.doors.cluster.text("config"), "why": ""})
