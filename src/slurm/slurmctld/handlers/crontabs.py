"""Crontabs: read, and replaced together with their jobs."""

from __future__ import annotations

import os
from collections.abc import Iterator

from slurm.core import admission, rights
from slurm.core.events import Caller, Cancelled, CrontabReplaced, Event
from slurm.model.crontab import CronEntry
from slurm.model.errors import InvalidRequest, NotationError, NotNow, NotPermitted, SlurmError
from slurm.model.ids import JobId, Uid
from slurm.model.job import Job
from slurm.notation.cron import parse, require_short
from slurm.notation.cron_times import following
from slurm.sched.feasible import check_request
from slurm.slurmctld import portions
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.handlers.jobs import LATER
from slurm.slurmctld.reading import StoredPayload, stored
from slurm.slurmctld.session import Session, caller_as, is_own
from slurm.wire import crontab_messages as k

JOBS_MOST = 100
"""Entries of one crontab: they are written together, in one turn."""
_REFUSED = {
    "array": "an array cannot run again and again: let the job submit it", "begin": "its line says when it begins",
    "deadline": "a job that runs again and again has none",
}
"""Fields of a request that a job of a crontab may not set, and why."""


async def on_read(ctl: Controller, session: Session, message: k.ReadCrontab) -> k.CrontabRead:
    """scrontab -l: one's own, an operator's: of anybody."""
    _require_enabled(ctl)
    if not is_own(session.caller, message.user) and not rights.is_operator(ctl.cluster, session.caller):
        raise NotPermitted(hints=["the crontabs of others are for operators to read"])
    owner = caller_as(session.caller, message.user)
    await ctl.engine.settled()
    crontab = ctl.cluster.crontabs.get(owner.uid)
    return k.CrontabRead(user=owner.user, text=crontab.text if crontab is not None else "", found=crontab is not None)


async def on_write(ctl: Controller, session: Session, message: k.WriteCrontab) -> k.CrontabWritten:
    """Its jobs are submitted and it takes the place of the one before, all at once; where one job is refused nothing changes."""
    _require_enabled(ctl)
    if not is_own(session.caller, message.user) and not _is_slurm_user(ctl, session.caller):
        raise NotPermitted(hints=["the crontabs of others are for root and SlurmUser to change"])
    owner = caller_as(session.caller, message.user)
    moments = await _checked(message, ctl.now())
    if ctl.submit_plugins:
        for one in message.jobs:
            one.request = await ctl.submit_plugins.submitted(one.request, one.payload.script, owner, ctl.cluster.settings)
    installing = _Installing(ctl, owner, session.caller.uid, message, moments)
    payloads = [blob for kept in installing.kept for blob in kept.blobs]
    durable = ctl.engine.record_each(installing.events(), payloads=payloads)
    if installing.refusal is not None:
        raise installing.refusal
    await ctl.engine.promised(durable, LATER)
    return k.CrontabWritten(jobs=[int(job.id) for job in installing.made], warnings=installing.warnings)


class _Installing:
    """The events of one new crontab, each made when those before it hold: limits on a user's jobs count each of them.

    `refusal`: one job was not admitted; those before it are cancelled again in the same breath.
    """

    def __init__(self, ctl: Controller, owner: Caller, by: Uid, message: k.WriteCrontab, moments: list[float]) -> None:
        self.kept = [stored(one.payload) for one in message.jobs]
        self.made: list[Job] = []
        self.warnings: list[str] = []
        self.refusal: SlurmError | None = None
        self._ctl = ctl
        self._owner = owner
        self._by = by
        self._message = message
        self._moments = moments

    def events(self) -> Iterator[Event]:
        """What is to be recorded together."""
        now = self._ctl.now()
        for one, kept, moment in zip(self._message.jobs, self.kept, self._moments, strict=True):
            try:
                admitted = self._admitted(one, kept, moment, now)
            except SlurmError as error:
                error.hints = (f"line {one.last_line} of the crontab: {one.spec}", *error.hints)
                self.refusal = error
                for job in self.made:
                    yield Cancelled(at=now, job=job.id, by=self._by)
                return
            self.made.append(admitted.event.job)
            yield admitted.event
        jobs = [JobId(job.id) for job in self.made]
        yield CrontabReplaced(at=now, uid=self._owner.uid, user=self._owner.user, by=self._by, text=self._message.text, jobs=jobs)

    def _admitted(self, one: k.CronJob, kept: StoredPayload, moment: float, now: float) -> admission.Admitted:
        admitted = admission.admit(self._ctl.cluster, one.request, kept.ref, self._owner, now)
        job = admitted.event.job
        warnings = [*admitted.warnings, *check_request(self._ctl.planner.terrain(), job)]
        self.warnings += [f"line {one.last_line}: {warning}" for warning in warnings]
        job.not_before = moment
        job.cron = CronEntry(spec=one.spec, first_line=one.first_line, last_line=one.last_line, planned=job.not_before)
        return admitted


async def _checked(message: k.WriteCrontab, now: float) -> list[float]:
    """When each of its jobs runs first, in seconds since the epoch; others have their turn meanwhile. InvalidRequest for what is no
    crontab."""
    lines = message.text.count("\n") + 1
    if len(message.jobs) > JOBS_MOST:
        raise InvalidRequest("ESLURM_INVALID_OPTION", f"a crontab has at most {JOBS_MOST} entries, this one has {len(message.jobs)}",
            hints=["let one entry start a script that does several things"])
    if lines > k.LINES_MOST + 1:
        raise InvalidRequest("ESLURM_INVALID_OPTION", f"a crontab has at most {k.LINES_MOST} lines, this one has {lines}")
    if message.jobs and not message.text:
        raise InvalidRequest("ESLURM_INVALID_OPTION", "an empty crontab has no entries")
    breath = portions.Breath()
    moments: list[float] = []
    before = 0
    for one in message.jobs:
        if one.first_line <= before:
            raise InvalidRequest("ESLURM_INVALID_OPTION", "the entries of a crontab come in the order of their lines", hints=[
                f"lines {one.first_line} to {one.last_line} are not behind line {before}, the last one of the entry before"])
        _check(lines, one)
        moments.append(_moment(one, now))
        before = one.last_line
        await breath.taken()
    return moments


def _moment(one: k.CronJob, now: float) -> float:
    """When it runs first, in seconds since the epoch. InvalidRequest where its line says no time that ever comes."""
    try:
        require_short(one.spec)
        return following(parse(one.spec), now)
    except NotationError as error:
        raise InvalidRequest("ESLURM_INVALID_TIME_VALUE", hints=[f"line {one.last_line}: {error.message}"]) from error


def _check(lines: int, one: k.CronJob) -> None:
    if not one.first_line <= one.last_line <= lines:
        raise InvalidRequest("ESLURM_INVALID_OPTION", hints=[f"the crontab has no lines {one.first_line} to {one.last_line}"])
    if one.request.kind != "batch":
        raise InvalidRequest("ESLURM_BATCH_ONLY", hints=[f"line {one.last_line}: jobs of a crontab are batch jobs"])
    for field, why in _REFUSED.items():
        if getattr(one.request, field):
            raise InvalidRequest("ESLURM_INVALID_OPTION", f"--{field} is not for jobs of a crontab", hints=[f"line {one.last_line}: {why}"])


def _require_enabled(ctl: Controller) -> None:
    if not ctl.cluster.settings.cron_enabled:
        raise NotNow("ESLURM_DISABLED", "scrontab is disabled on this cluster", hints=[
            "ScronParameters=enable in slurm.conf lets there be crontabs", "sbatch --begin=16:00 starts one job later"])


def _is_slurm_user(ctl: Controller, caller: Caller) -> bool:
    return caller.uid in (0, os.geteuid()) or caller.user == ctl.cluster.settings.slurm_user
