"""What processes take of this node's GPUs: one process of slurmd asks the driver, for all steps, and leaves the answer in a file.

A step reads it when it looks at its processes: no step waits for a driver, and none has a session of its own with it. What the file holds:

    {"at": 81234.5, "processes": {"4711": [2147483648, 87]}}     seconds since boot; pid → bytes, percent of a GPU's time, over all GPUs
"""

from __future__ import annotations

import json
import time

STALE_SECONDS = 90.0
"""A file that nobody has written for so long says nothing of now."""


def read(path: str) -> dict[int, tuple[int, int]]:
    """pid → (bytes of GPU memory, percent of a GPU's time); empty where nobody measures, or has for long."""
    try:
        with open(path, "rb") as file:
            found = json.load(file)
        if not 0 <= time.clock_gettime(time.CLOCK_BOOTTIME) - found["at"] < STALE_SECONDS:
            return {}
        return {int(pid): (int(memory), int(percent)) for pid, (memory, percent) in found["processes"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # it is written anew by renaming; whatever else lies there is no reading
