"""How jobs are told: rows as JSON, times, states and reasons for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from slurm.sdk.following.inspection import JobRecord, QueueRow

HEADER = ("JOB ID", "NAME", "STATE", "USER", "TIME", "PARTITION", "NODES", "WHERE OR WHY")
FREE = ("NAME", "WHERE OR WHY")
ENDED_BADLY = frozenset({"FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE", "PREEMPTED", "CANCELLED"})


def line(row: QueueRow) -> list[str]:
    """A row of the queue in the columns of HEADER."""
    where = row.nodelist or row.reason
    if row.nodelist and row.state in ENDED_BADLY and row.reason not in ("", "None"):
        where = f"{row.reason} on {row.nodelist}"
    return [row.id, row.name, row.state, row.user, row.used, row.partition, str(row.nodes), where]


def facts(row: QueueRow | JobRecord) -> dict[str, object]:
    """A row as JSON: its fields by their names, `why` in words."""
    return {**row._asdict(), "why": row.why}


def counted(counts: Mapping[str, int]) -> str:
    """Counts by state in words."""
    total = sum(counts.values())
    parts = ", ".join(f"{number} {state.lower()}" for state, number in counts.items())
    return f"{total} job{'' if total == 1 else 's'}: {parts}" if total else "no jobs"


def ending(code: str) -> str:
    """An exit code as Slurm writes it, with what it means."""
    status, _, signal = code.partition(":")
    if signal not in ("", "0"):
        return f"{code} (signal {signal} ended it)"
    return code if status in ("", "0") else f"{code} (its program ended with {status})"


def shell_status(states: Sequence[str], codes: Sequence[str]) -> int:
    """What a command exits with that waited for jobs: 0 when all completed, else the exit code of the first that did not, as a shell has
    it; at least 1."""
    for state, code in zip(states, codes, strict=True):
        if state != "COMPLETED":
            status, _, signal = code.partition(":")
            number = int(status) if status.isdigit() else 0
            return number or (128 + int(signal) if signal.isdigit() and signal != "0" else 1)
    return 0
