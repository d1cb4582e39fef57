"""How a job or step ended, as JSON: for what slurmctld answers, and for records of the past, which read nothing of slurmctld's."""

from __future__ import annotations

from slurm.notation import exitstatus, signal
from slurm.render.json_text import Value, number


def exit_record(status: int) -> dict[str, Value]:
    """A wait status as JSON."""
    ended = exitstatus.from_wait(status)
    word = "SIGNALED" if ended.signal else "ERROR" if ended.code else "SUCCESS"
    return {
        "status": [word],
        "return_code": number(ended.code),
        "signal": {
            "id": number(ended.signal or None),
            "name": signal.name(ended.signal) if ended.signal else "",
        },
    }
