"""Upgrades: what has to be done to records of an earlier version so that they mean today what they meant then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from slurm.journal.plain import Fields, records_in
from slurm.journal.shape import Shapes

Step = Callable[[Fields], None]
"""Changes one record in place, putting new values where others were.

It is given each record of its struct, wherever it lies within another one.
"""


def added(name: str, value: Any) -> Step:
    """A field that was not there, with what the records of then mean."""
    def step(record: Fields) -> None:
        if not record.partial:
            record.setdefault(name, value)

    return step


def dropped(name: str) -> Step:
    """A field that is not kept any more."""
    return lambda record: record.pop(name, None) and None


def renamed(old: str, new: str) -> Step:
    """A field with another name."""
    def step(record: Fields) -> None:
        if old in record:
            record[new] = record.pop(old)

    return step


def mapped(name: str, function: Callable[[Any], Any]) -> Step:
    """A field whose values are written in another way."""
    def step(record: Fields) -> None:
        if name in record:
            record[name] = function(record[name])

    return step


def _members(bits: Any) -> Any:
    """A set of CPUs or devices, which was a number; or each set of a dict."""
    if isinstance(bits, dict):
        return {key: _members(value) for key, value in bits.items()}
    return bits.to_bytes((bits.bit_length() + 7) // 8, "little") if isinstance(bits, int) else bits


UPGRADES: Mapping[int, Mapping[str, Sequence[Step]]] = {
    1: {
        "NodeShare": [mapped("cpus", _members), mapped("gres", _members)],
        "Node": [mapped("cpus_used", _members), mapped("gres_used", _members)],
        "GresPool": [mapped("cores", _members)],
    },
    2: {"Settings": [*(added(name, 0) for name in (
        "backfill_max_user", "backfill_max_partition", "backfill_max_user_partition", "backfill_max_association", "backfill_max_starts",
        "backfill_max_time",
        "backfill_min_age", "backfill_min_priority", "partition_job_depth", "sched_max_starts", "sched_max_time", "sched_min_interval")),
        added("backfill_reservations", 1), added("backfill_one_reservation", False), added("sched_interval", 60),
        added("assoc_limit_stop", False)]},
    3: {
        "StateRecord": [added("usage_since", 0.0)],
        "TimedOut": [added("why", "")],
        "Settings": [added("usage_reset_period", "NONE"), added("track_wckey", False), added("private_data", [])],
    },
    4: {"Settings": [added("licenses", {})], "Allocation": [added("licenses", {})]},
    5: {"Started": [added("time_limit", None)]},
    6: {"StateRecord": [added("next_reservation", 1)], "Settings": [added("reservation_over_run", 0)], "Job": [added("end_by", 0.0)],
        "Allocation": [added("reservation", ""), added("reservation_id", 0)]},
    7: {
        "StepRequest": [added("interactive", False)],
        "Job": [added("preparing", []), added("epilog_due", False)],
        "Settings": [*(added(name, False) for name in ("node_prolog", "node_epilog", "controller_prolog", "controller_epilog")),
        added("prolog_flags", []),
                     added("hold_on_prolog_fail", True)],
    },
    8: {"Settings": [added("cascade_at_once", 0)]},
    9: {"Settings": [added("cron_enabled", False), added("cron_explicit_cancel", False)], "Job": [added("cron", None)]},
    10: {
        "Settings": [added("job_defaults", ""), added("spec_usage", False)],
        "Partition": [added("select_type", "")],
        "Node": [added("spec_cores", 0), added("spec_cpus", b""), added("spec_memory", 0)],
        "JobRequest": [added("core_spec", None), added("thread_spec", None)],
    },
    11: {
        "Settings": [added("topologies", []), added("max_switch_wait", 300)],
        "Partition": [added("topology", "")],
        "JobRequest": [added("switches", 0), added("switch_wait", None), added("segment", 0), added("spread_segments", False)],
    },
    12: {},
    13: {
        "Job": [added("het", [])], "Submitted": [added("components", [])], "Started": [added("components", [])],
        "Settings": [added("hetjob_priority", ""), added("whole_hetjob", False)],
    },
    14: {"StateRecord": [added("next_trigger", 1)]},
    15: {
        "Configured": [added("keeps", "state")],
        "Node": [added("line", ""), added("by_slurmd", False), added("cloud", False), added("power", "on"), added("power_since", 0.0),
            added("power_asked", ""), added("reboot", ""), added("reboot_since", 0.0), added("reboot_next", ""),
            added("resume_after", 0.0)],
        "Partition": [*(added(name, None) for name in ("suspend_time", "suspend_timeout", "resume_timeout")),
            added("power_down_on_idle", False)],
        "NodeUpdated": [*(added(name, None) for name in ("address", "hostname", "resume_after"))],
        "Settings": [added("max_node_count", 0), *(added(name, False) for name in ("suspends", "resumes", "reboots")),
            added("suspend_time", -1), added("suspend_timeout", 30), added("resume_timeout", 60), added("suspend_rate", 60),
            added("resume_rate", 300), added("suspend_exc_nodes", ""), added("suspend_exc_parts", []), added("suspend_exc_states", [])],
    },
    16: {},
    17: {"Job": [added("resize_time", 0.0)]},
    18: {
        "Settings": [
            added("preempt_type", "none"), added("preempt_modes", []), added("preempt_exempt_time", 0), added("preempt_reorder_count", 1),
            *(added(name, False) for name in ("preempt_youngest_first", "preempt_strict_order", "preempt_user_signal")),
            added("preempt_min_exempt_priority", None), added("suspend_grace_time", 2), added("time_slice", 30)],
        "Node": [added("suspended", [])],
        "Step": [added("suspended_seconds", 0.0)],
        "LostAttempt": [added("suspended_by", "")],
        "Job": [added("suspended_by", ""), added("without_cpus", False), added("preempt_time", 0.0), added("preempt_mode", ""),
                added("preempted_for", 0), added("promise", None)],
    },
    19: {"StateRecord": [added("epoch", 0), added("leader", "")]},
    20: {"Job": [added("memory_peak", 0)]},
    21: {"Settings": [added("mpi_ports", [])], "Step": [added("ports", [])], "StepRequest": [added("resv_ports", None)]},
}
"""Version → struct → the steps by which its records become those of the next version."""


def upgrade(record: Fields, version: int, shapes: Shapes, upgrades: Mapping[int, Mapping[str, Sequence[Step]]] = UPGRADES) -> Fields:
    """The record, of `version` and whole, as one of the version of `shapes`; ValueError when a field is missing then, or one too many."""
    parts = records_in(record)
    for each in sorted(number for number in upgrades if number >= version):
        for part in parts:
            for step in upgrades[each].get(part.struct, ()):
                step(part)
        parts = records_in(record)
    for part in parts:
        known = shapes.get(part.struct)
        if known is None or (not part.partial and part.keys() != known.keys()):
            odd = sorted(part.keys() ^ (known or {}).keys())
            raise ValueError(f"no upgrade from version {version} says what becomes of {part.struct}: {', '.join(odd)}")
    return record
