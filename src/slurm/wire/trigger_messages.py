"""Triggers between strigger and slurmctld; part of `wire.messages`."""

from __future__ import annotations

from typing import Annotated

from slurm.model.bounds import Count, Hosts, JobNumber, Name, Path, Whole, Word
from slurm.model.trigger import Trigger
from slurm.wire.message import Message

Offset = Annotated[int, Whole(-(2**31), 2**31 - 1)]


class SetTrigger(Message):
    """strigger --set → TriggerMade. `of`: job | node | slurmctld | slurmdbd, `what` as model.trigger has it. `nodes` "*": any."""

    of: Word
    what: Word
    program: Path
    job: JobNumber = 0
    nodes: Hosts = "*"
    offset: Offset = 0
    permanent: bool = False


class TriggerMade(Message):
    """Its number."""

    id: int


class ListTriggers(Message):
    """strigger --get → TriggersListed: one's own, an operator's: all."""


class TriggersListed(Message, omit_defaults=False):
    """In the order of their numbers."""

    triggers: list[Trigger] = []


class ClearTriggers(Message):
    """strigger --clear → Done: by number, or all of a job, of a user (name or uid)."""

    id: Count = 0
    job: JobNumber = 0
    user: Name = ""
