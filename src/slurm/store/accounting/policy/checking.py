"""What a change may say, whoever wrote it down: names that can be told apart in lists and in the tree, limits, flags and modes that there
are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from slurm.model import limits as table
from slurm.model.errors import InvalidRequest
from slurm.model.limits import Limit
from slurm.model.policy import PREEMPT_MODES, QOS_FLAGS, Limits
from slurm.model.policy_change import PolicySettings

_STRANGE = re.compile(r"""[\s/,='"`]""")
_TRES = re.compile(r"[a-z]{1,16}(/[^\s,='\"]{1,100})?")
_OF_TRES = frozenset({table.TRES, table.TRES_MINUTES, table.TRES_RUN_MINUTES, table.MIN_TRES})
_MOST = 2**53
"""No limit is above it: products of limits and factors stay exact."""


def require_names(kind: str, names: Iterable[str]) -> None:
    """InvalidRequest for a name that something new may not have.

    A blank, comma, quote or = would end it in a list or a file, a + or - at its beginning would make it a change, and / divides the tree of
    accounts.
    """
    for name in names:
        if not name or _STRANGE.search(name) or name[0] in "+-" or not name.isprintable():
            raise InvalidRequest(message=f"{name!r} is no name for {kind}", hints=[
                "a name is not empty, begins with neither + nor -, and has no blank, comma, quote, =, / and nothing that is not printed"])


def require_limits(known: Mapping[str, Limit], limits: Limits) -> None:
    """InvalidRequest for a limit that there is not, or that is not one of this TRES."""
    for key, values in limits.items():
        limit = known.get(key)
        if limit is None:
            raise InvalidRequest(message=f"there is no limit {key!r} here", hints=[f"valid: {', '.join(known)}"])
        if values == {"": -1}:  # nothing is limited any more
            continue
        for name, value in values.items():
            if (limit.quantity in _OF_TRES) is (name == "") or (name and _TRES.fullmatch(name) is None):
                raise InvalidRequest(message=f"{key}: {name!r} is nothing that it limits", hints=[
                    "such as cpu, mem, gres/gpu" if limit.quantity in _OF_TRES else f"{key} is one number"])
            if value > _MOST:
                raise InvalidRequest(message=f"{key}: {value} is more than {_MOST}")


def require_qos_words(settings: PolicySettings) -> None:
    """InvalidRequest for a flag or a preempt mode that no QOS has."""
    for flag in settings.flags.names if settings.flags is not None else ():
        if flag not in QOS_FLAGS:
            raise InvalidRequest(message=f"Invalid QOS flag: {flag}", hints=[f"valid: {', '.join(QOS_FLAGS)}"])
    for mode in settings.preempt_mode.split(",") if settings.preempt_mode else ():
        if mode not in PREEMPT_MODES:
            raise InvalidRequest(message=f"Bad Preempt Mode given: {mode}", hints=[f"valid: {', '.join(PREEMPT_MODES)}"])
