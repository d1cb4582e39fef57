"""The notices of one controller: which plug-ins it tells, and what each is called with."""

from __future__ import annotations

import asyncio
import logging
import os

import msgspec

from slurm.config.config import Config
from slurm.model.accounting import JobFilter, JobRecord, JobRow
from slurm.model.errors import SlurmError
from slurm.model.notice import JOBCOMP, MAIL, Notice
from slurm.model.states import JobState
from slurm.plugins.process import PluginProcess
from slurm.plugins.records import completed
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.notices import wanted
from slurm.slurmctld.notices.last_lines import last_lines
from slurm.slurmctld.notices.limits import Limits
from slurm.slurmctld.notices.mail import mail_of
from slurm.slurmctld.notices.telling import Call, Teller
from slurm.slurmctld.notices.wanted import Wanted
from slurm.slurmctld.session import group_ids
from slurm.store.group_commit import GroupCommit
from slurm.store.journal import Journal
from slurm.wire import accounting_messages as a
from slurm.wire.messages import Failure

log = logging.getLogger("slurmctld.notices")
SECONDS = 30.0
"""A plug-in that takes longer for one job is ended."""
_RECORDED_TRIES = 20
_RECORDED_PAUSE = 0.25
_found = msgspec.json.Decoder(a.JobsFound | Failure).decode


class Notices:
    """Tells of jobs what the configuration wants told. `owners` are the uids that a plug-in's file may belong to."""

    def __init__(self, ctl: Controller, config: Config, journal: Journal, commit: GroupCommit, owners: frozenset[int]) -> None:
        self._ctl = ctl
        self._config = config
        self._journal = journal
        self._commit = commit
        self._owners = owners
        self._wanted: dict[str, Wanted] = {JOBCOMP: Wanted(), MAIL: Wanted()}
        self._tellers: dict[str, Teller] = {}
        self._limits = Limits(ctl.cluster, journal, commit, ctl.now, self._wake)
        self._watch: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()

    def why_no_mail(self) -> str:
        """Why no mail is sent, "" where it is."""
        return self._wanted[MAIL].why

    def prepare(self) -> None:
        """Before anything is recorded: say to the fold what is wanted."""
        self._apply(self._config)

    def start(self) -> None:
        """Begin to tell."""
        self._ctl.engine.noted = self._wake
        for destination in self._wanted:
            self._begin(destination)
        self._watch = asyncio.get_running_loop().create_task(self._limits.run())

    async def reconfigure(self, config: Config) -> None:
        """Another configuration holds: who is told in another way now gets another process."""
        async with self._changing:
            before = dict(self._wanted)
            self._config = config
            self._apply(config)
            for destination in [each for each in before if before[each] != self._wanted[each]]:
                old = self._tellers.pop(destination, None)
                if old is not None:
                    await old.close()
                self._begin(destination)

    async def close(self) -> None:
        """Tell nothing more."""
        self._ctl.engine.noted = None
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        for teller in self._tellers.values():
            await teller.close()

    def _apply(self, config: Config) -> None:
        self._wanted = {JOBCOMP: wanted.completion(config, self._owners), MAIL: wanted.mail(config)}
        recording = self._ctl.cluster.recording
        recording.completions = self._wanted[JOBCOMP].source is not None
        recording.mail = self._wanted[MAIL].source is not None
        if self._wanted[JOBCOMP].why:
            log.error("nobody is told of ended jobs: %s", self._wanted[JOBCOMP].why)
        if self._wanted[MAIL].why and config.written("MailProg"):
            log.error("%s", self._wanted[MAIL].why)

    def _begin(self, destination: str) -> None:
        found = self._wanted[destination]
        if found.source is None:
            return
        progress = os.path.join(self._config.state_save_location, f"told.{destination}")
        process = PluginProcess(found.source, found.settings, seconds=SECONDS, progress=progress)
        teller = Teller(destination, process, self._journal, self._commit, self._completion if destination == JOBCOMP else self._mail)
        self._tellers[destination] = teller
        teller.start()

    def _wake(self) -> None:
        for teller in self._tellers.values():
            teller.wake()

    # --- what a plug-in is called with -----------------------------------------------------------------------------------

    async def _completion(self, notice: Notice) -> Call:
        job = completed(self._config.cluster_name, notice.record)
        job.dependency = notice.dependency
        return Call("job_completed", job)

    async def _mail(self, notice: Notice) -> Call:
        record = notice.record
        row, lines = None, list[str]()
        if notice.what == "END" and notice.array is None and record.node_count:
            row = await self._recorded(record)
            if record.state not in (JobState.COMPLETED, JobState.CANCELLED):
                lines = await asyncio.to_thread(last_lines, record, group_ids(record.user, record.gid))
        domain = self._config.text("MailDomain")
        return Call("send_mail", mail_of(notice, self._config.cluster_name, domain, row, lines, self._ctl.now()))

    async def _recorded(self, record: JobRecord) -> JobRow | None:
        """What accounting knows of a job that ended, its steps' use above all; None where it does not within some seconds."""
        if self._ctl.past is None:
            return None
        ended = JobFilter(jobs=[(record.id, None, None)], since=record.submit_time, duplicates=True)
        for _ in range(_RECORDED_TRIES):
            try:
                answer = _found(await self._ctl.past.ask(record.uid, msgspec.json.encode(a.FindJobs(wanted=ended))))
            except SlurmError:
                return None
            if isinstance(answer, Failure):
                return None
            rows = [row for row in answer.jobs if row.job.restarts == record.restarts and row.job.end_time
                and all(s.end_time for s in row.steps)]
            if rows:
                return rows[-1]
            await asyncio.sleep(_RECORDED_PAUSE)
        return None
