"""What anybody may ask: jobs, in parts, scripts, usage.

The rule of PrivateData is applied here and in the question to the database itself.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections.abc import Iterator
from itertools import islice

import msgspec
from msgspec import structs

from slurm.model.accounting import JobRow
from slurm.model.errors import InvalidRequest, NotPermitted, SlurmError
from slurm.notation import duration
from slurm.slurmdbd.daemon_state import DaemonState
from slurm.slurmdbd.rights import OPERATOR, Asker, user_name
from slurm.store.accounting.finding import Place
from slurm.wire.accounting_messages import (
    PART_JOBS,
    EventsFound,
    FetchPayload,
    FindEvents,
    FindJobs,
    FindReservations,
    JobsFound,
    PayloadFetched,
    ReservationsFound,
)
from slurm.wire.sacctmgr_messages import SumUsage, UsageSummed

PART_EVENTS = 5000
PART_BYTES = 8 * 1024 * 1024
"""A part ends with the job that makes it longer than this."""
MOST_OPEN = 3
"""Answers that wait for their next part and hold a connection to the database meanwhile; one more ends the oldest of them."""
OPEN_SECONDS = 60.0
_WORD = re.compile(r"[0-9a-f]{16} ([0-9]{1,18}) ([0-9]{1,18}) (.*)", re.DOTALL)
_encoder = msgspec.json.Encoder()


class _Open:
    """An answer of which a part was sent: what comes next, where it stands, and for whom."""

    def __init__(self, rows: Iterator[JobRow], uid: int) -> None:
        self.rows = rows
        self.uid = uid
        self.place: Place | None = None
        self.ahead: JobRow | None = None
        self.used = time.monotonic()
        self.busy = True


class Answers:
    """The answers that are under way, by the word that asks for their next part.

    An answer that was ended meanwhile (a daemon that restarted, too many at once) goes on behind the place that the word tells of.
    """

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}

    def resume(self, word: str, uid: int) -> _Open | None:
        """The answer whose next part this word asks for, None where it was ended."""
        found = self._open.get(word)
        if found is None or found.uid != uid or found.busy:
            return None
        del self._open[word]
        found.busy = True
        return found

    def keep(self, answer: _Open) -> str:
        """Keep it for its next part; the word that asks for that."""
        assert answer.place is not None
        answer.busy, answer.used = False, time.monotonic()
        word = f"{secrets.token_hex(8)} {answer.place[1]} {answer.place[2]} {answer.place[0]}"
        self._open[word] = answer
        return word

    def stale(self) -> list[Iterator[JobRow]]:
        """The answers that nobody asks on with, and those that are too many; whoever gets them closes them, on a thread."""
        now = time.monotonic()
        idle = [(word, answer) for word, answer in self._open.items() if not answer.busy]
        over = idle[:max(0, len(idle) - MOST_OPEN)]
        ended = {word: answer for word, answer in (*over, *(pair for pair in idle if now - pair[1].used > OPEN_SECONDS))}
        for word in ended:
            del self._open[word]
        return [answer.rows for answer in ended.values()]


def place_of(word: str) -> Place:
    """The place that a word tells of; InvalidRequest."""
    found = _WORD.fullmatch(word)
    if found is None:
        raise InvalidRequest(message="after: this is no word that an answer gave")
    return found[3], int(found[1]), int(found[2])


async def on_find_jobs(state: DaemonState, answers: Answers, asker: Asker, cluster: str, message: FindJobs) -> bytes:
    """The next part of the jobs that are wanted, JobsFound as JSON."""
    wanted = message.wanted
    _require_span(state, asker, wanted.since, wanted.until, bool(wanted.jobs))
    visible = asker.visible("jobs" in state.conf.private)
    database = state.database
    answer = answers.resume(message.after, asker.uid) if message.after else None
    if answer is None:
        after = place_of(message.after) if message.after else None
        answer = _Open(database.jobs(wanted, cluster, visible, after), asker.uid)
    rows = answer
    reply, ended = await state.work.ask(lambda: _part(rows, cluster))
    if not ended:
        reply.next = answers.keep(answer)
    await tidy(state, answers)
    return await state.work.ask(lambda: _encoder.encode(reply))


def _part(answer: _Open, cluster: str) -> tuple[JobsFound, bool]:
    """So many jobs as one answer holds, and whether they were the last."""
    found: list[JobRow] = [answer.ahead] if answer.ahead is not None else []
    size = 0
    answer.ahead = None
    for row in islice(answer.rows, PART_JOBS):
        if len(found) >= PART_JOBS or size > PART_BYTES:
            answer.ahead = row
            break
        found.append(row)
        size += len(_encoder.encode(row)) if len(row.steps) > 20 or len(found) % 50 == 0 else 2000
    ended = answer.ahead is None and len(found) < PART_JOBS
    if found:
        answer.place = (found[-1].cluster, found[-1].job.id, found[-1].index)
    return JobsFound(cluster=cluster, jobs=found), ended


async def tidy(state: DaemonState, answers: Answers) -> None:
    """End the answers that nobody asks on with, and those that are too many."""
    stale = answers.stale()
    if stale:
        await state.work.ask(lambda: _close(stale))


def _close(stale: list[Iterator[JobRow]]) -> None:
    for rows in stale:
        closing = getattr(rows, "close", None)
        if closing is not None:
            with contextlib.suppress(SlurmError):  # its connection was lost, which is what was wanted
                closing()


async def on_fetch_payload(state: DaemonState, asker: Asker, message: FetchPayload) -> PayloadFetched:
    """A script or an environment, to whom it belongs and to operators."""
    database = state.database
    visible = asker.visible(True)
    try:
        content = await state.work.ask(lambda: database.payload(message.digest, visible))
    except NotPermitted:
        raise
    except SlurmError as error:
        if error.name == "ESLURM_INVALID_OPTION":
            return PayloadFetched()
        raise
    return PayloadFetched(content=content.decode("utf-8", "replace"))


async def on_find_usage(state: DaemonState, asker: Asker, cluster: str, message: SumUsage) -> UsageSummed:
    """Who used what; with PrivateData=usage oneself, and the accounts that one coordinates."""
    wanted = message.wanted
    _require_span(state, asker, wanted.since, wanted.until, False)
    database = state.database
    found = UsageSummed(cluster=cluster)
    if message.kind == "cluster":
        found.clusters = await state.work.ask(lambda: database.usage_of_clusters(wanted, cluster))
    elif message.kind == "association":
        rows = await state.work.ask(lambda: database.usage_of_associations(wanted, cluster))
        found.associations = [row for row in rows if _may_see(state, asker, row.user, row.account)]
    else:
        keys = await state.work.ask(lambda: database.usage_of_wckeys(wanted, cluster))
        found.wckeys = [key for key in keys if _may_see(state, asker, key.user, "")]
    return found


async def on_find_events(state: DaemonState, asker: Asker, cluster: str, message: FindEvents) -> EventsFound:
    """What befell clusters and nodes; with PrivateData=events it is for operators."""
    if "events" in state.conf.private:
        asker.require(OPERATOR)
    database = state.database
    found, following = await state.work.ask(lambda: database.events(message.wanted, cluster, message.after, PART_EVENTS))
    people = {uid: user_name(uid) for uid in {event.uid for event in found if event.uid >= 0}}
    named = [structs.replace(event, user=people.get(event.uid, "")) for event in found]
    users = set(message.wanted.users)
    return EventsFound(events=[event for event in named if not users or event.user in users or str(event.uid) in users], next=following)


async def on_find_reservations(state: DaemonState, asker: Asker, cluster: str, message: FindReservations) -> ReservationsFound:
    """Reservations; with PrivateData=reservations they are for operators."""
    if "reservations" in state.conf.private:
        asker.require(OPERATOR)
    _require_span(state, asker, message.wanted.since, message.wanted.until, bool(message.wanted.ids or message.wanted.names))
    return ReservationsFound(reservations=await state.work.ask(lambda: state.database.reservations(message.wanted, cluster)))


def _may_see(state: DaemonState, asker: Asker, user: str, account: str) -> bool:
    return bool(asker.rank) or "usage" not in state.conf.private or user == asker.user or account in asker.accounts


def _require_span(state: DaemonState, asker: Asker, since: float, until: float, named: bool) -> None:
    most = state.conf.number("MaxQueryTimeRange")
    if most < 0 or asker.rank or named:
        return
    span = (until or time.time()) - since
    if span > most:
        raise InvalidRequest("ESLURM_DB_QUERY_TOO_WIDE",
            hints=[f"at most {duration.show_clock(most)} may be asked for at once (MaxQueryTimeRange): narrow --starttime and --endtime"])

