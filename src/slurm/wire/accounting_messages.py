"""What commands ask about the past, JSON frames as in `wire.messages`: a question is answered in parts, each asked for with what the one
before said.

Who answers (slurmdbd, or slurmctld for it) decides what the caller may see. How records get there is in `wire.dbd_messages`.
"""

from __future__ import annotations

from typing import Annotated

from slurm.model.accounting import EventFilter, EventRow, JobFilter, JobRow, ReservationFilter, ReservationRow
from slurm.model.bounds import Text, Whole
from slurm.wire.messages import Message

PART_JOBS = 1000
"""Jobs of one answer at most; a frame bounds it too."""
Cursor = Annotated[str, Text(1200)]
DigestText = Annotated[str, Text(64)]


class FindJobs(Message):
    """Which jobs were there → JobsFound or Failure; `after`: the `next` of the answer before, "" at first."""

    wanted: JobFilter
    after: Cursor = ""


class JobsFound(Message):
    """Jobs in the database's order. `next` asks for those behind them, "": there are no more. `cluster` is the one that was asked."""

    cluster: str
    jobs: list[JobRow] = []
    next: str = ""


class FindEvents(Message):
    """What befell clusters and nodes → EventsFound or Failure; `after`: the `next` of the answer before, 0 at first."""

    wanted: EventFilter
    after: Annotated[int, Whole(0, 2**62)] = 0


class EventsFound(Message):
    """Events, those of clusters in the first part; `next` asks for those behind them, 0: there are no more."""

    events: list[EventRow] = []
    next: int = 0


class FindReservations(Message):
    """Which reservations were there, and how they were used → ReservationsFound or Failure."""

    wanted: ReservationFilter


class ReservationsFound(Message):
    """Reservations by cluster, name and start."""

    reservations: list[ReservationRow] = []


class FetchPayload(Message):
    """A script or an environment that accounting keeps by content, of a job that the caller may see → PayloadFetched or Failure."""

    digest: DigestText


class PayloadFetched(Message):
    """The content; None where accounting does not keep it (AccountingStoreFlags)."""

    content: str | None = None
