"""Resource limits of tasks, and the CPUs they are bound to. Applied in the task itself, before it becomes the owner's program."""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence

NAMES = ("cpu", "fsize", "data", "stack", "core", "rss", "nproc", "nofile", "memlock", "as")
"""What may be asked: setrlimit(2)'s names without RLIMIT_."""


_first: dict[int, tuple[int, int]] = {}


def raise_own() -> None:
    """As many open files as allowed for this process and its forks, which have pipes to many tasks; `apply` takes it back in a task."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    _first[resource.RLIMIT_NOFILE] = (soft, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def apply(limits: dict[str, int]) -> list[str]:
    """Set soft limits (-1: none); what is above the hard limit raises it where that is allowed (root has CAP_SYS_RESOURCE outside
    containers).

    Returns a sentence for each one that could not be set as asked: it is cut to the hard limit, or left where it is.
    """
    for number, own in _first.items():
        resource.setrlimit(number, own)
    cut = []
    for name, wanted in limits.items():
        if name not in NAMES:
            cut.append(f"{name} is no resource limit and was not set; valid: {', '.join(NAMES)}")
            continue
        number = getattr(resource, f"RLIMIT_{name.upper()}")
        _, hard = resource.getrlimit(number)
        soft = resource.RLIM_INFINITY if wanted < 0 else wanted
        try:
            if not exceeds(soft, hard):
                resource.setrlimit(number, (soft, hard))
            elif not _raised(number, soft):
                resource.setrlimit(number, (hard, hard))
                cut.append(f"cannot set RLIMIT_{name.upper()} to {_shown(soft)}, it stays at the hard limit {_shown(hard)}")
        except (OSError, ValueError, OverflowError) as error:
            cut.append(f"cannot set RLIMIT_{name.upper()} to {_shown(soft)}: {error}")
    return cut


def bind(cpus: Sequence[int]) -> None:
    """Run only on these CPUs; an empty list leaves all."""
    if cpus:
        os.sched_setaffinity(0, cpus)


def _raised(number: int, soft: int) -> bool:
    """Whether the hard limit could be raised to what is asked."""
    if os.geteuid() != 0:
        return False
    try:
        resource.setrlimit(number, (soft, soft))
    except (OSError, ValueError):
        return False
    return True


def first() -> dict[int, tuple[int, int]]:
    """The limits that `raise_own` has changed in this process, as they were: a task gets them back. (soft, hard) by number."""
    return dict(_first)


def exceeds(soft: int, hard: int) -> bool:
    """Whether a soft limit is above a hard one; -1 is none."""
    if hard == resource.RLIM_INFINITY:
        return False
    return soft == resource.RLIM_INFINITY or soft > hard


def _shown(value: int) -> str:
    return "unlimited" if value == resource.RLIM_INFINITY else str(value)
