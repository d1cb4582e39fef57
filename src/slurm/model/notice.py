"""Notice: that something happened to a job which somebody outside is told of: its owner by mail, a job completion plug-in."""

from __future__ import annotations

import msgspec

from slurm.model.accounting import JobRecord

JOBCOMP = "jobcomp"
MAIL = "mail"
DESTINATIONS = (JOBCOMP, MAIL)
LIMITS = {"TIME_LIMIT_50": 0.5, "TIME_LIMIT_80": 0.8, "TIME_LIMIT_90": 0.9}
"""Words of --mail-type for a part of the time limit."""
_ALL = ("BEGIN", "END", "FAIL", "INVALID_DEPEND", "REQUEUE", "STAGE_OUT")


class ArraySummary(msgspec.Struct, frozen=True):
    """What became of an array's tasks, as far as they are still known: `state` the one they share or "Mixed", wait statuses."""

    tasks: int
    state: str = ""
    least_status: int = 0
    highest_status: int = 0


class Notice(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """`what` is the word of --mail-type, END for a job completion; `array` is set where it is about an array as a whole."""

    what: str
    record: JobRecord
    receiver: str = ""
    array: ArraySummary | None = None
    dependency: str = ""


_ORDER = ("ARRAY_TASKS", "INVALID_DEPEND", "BEGIN", "END", "FAIL", "REQUEUE", "STAGE_OUT", "TIME_LIMIT_50", "TIME_LIMIT_80", "TIME_LIMIT_90",
          "TIME_LIMIT")


def shown_wishes(mail_type: str) -> list[str]:
    """The same in the order in which Slurm shows them."""
    wanted = wishes(mail_type)
    return [word for word in _ORDER if word in wanted]


def wishes(mail_type: str) -> frozenset[str]:
    """The words of a --mail-type, ALL spelled out; NONE anywhere: nothing is wanted."""
    words = {word.strip().upper() for word in mail_type.split(",")} - {""}
    if "NONE" in words:
        return frozenset()
    if "ALL" in words:
        words = words - {"ALL"} | set(_ALL)
    return frozenset(words)
