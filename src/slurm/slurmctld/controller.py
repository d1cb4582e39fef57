"""Controller: the parts of a slurmctld put together, and the little that all handlers need.

Not here: what a request does (`handlers`), when jobs start (`planner`), how events become durable (`engine`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import lru_cache

import msgspec

from slurm.config.config import Config, load
from slurm.config.keys import mode_of
from slurm.core import components, recovery, timers
from slurm.core.cluster import Cluster
from slurm.core.effects import Announce, Effect, EndStep, Launch, Prepare, RunScript, SetLimit, Signal, Suspend, Terminate
from slurm.core.events import AllocationRelinquished, Caller, Cancelled, ClockSet, Event, NodeSilent
from slurm.core.illegal import IllegalTransition, story
from slurm.core.reserving.asking import Directory
from slurm.core.timer_heap import Timer
from slurm.daemon.logs import Seldom, Verbosity, shown_level
from slurm.model import debug_flags
from slurm.model.errors import NotPermitted, SlurmError, StoreError
from slurm.model.ids import Digest, JobId, NodeName, Uid
from slurm.model.job import ArrayPart, Job
from slurm.model.node import Node
from slurm.model.notice import wishes
from slurm.model.states import JobState
from slurm.net.jwt_tokens import Tokens
from slurm.net.signing import Signer
from slurm.render.view import View
from slurm.slurmctld import dynamic_nodes, finding, launch, portions, script_variables, setup
from slurm.slurmctld.accounting.sender import Accounting
from slurm.slurmctld.audit import Audit
from slurm.slurmctld.beside import Beside
from slurm.slurmctld.certifying import Certifier
from slurm.slurmctld.clock import Clock
from slurm.slurmctld.directory import SystemDirectory
from slurm.slurmctld.engine import Engine
from slurm.slurmctld.followers import Followers
from slurm.slurmctld.health import HealthRounds
from slurm.slurmctld.holders import GRACE_SECONDS, Holders
from slurm.slurmctld.lookback import Lookback
from slurm.slurmctld.nodes import Links
from slurm.slurmctld.past import Past
from slurm.slurmctld.planner import Planner
from slurm.slurmctld.policy_clock import PolicyClock
from slurm.slurmctld.power import PowerSaving
from slurm.slurmctld.proofs import Proofs
from slurm.slurmctld.relays import ROOT_WORD, Relays, Rules
from slurm.slurmctld.reservation_programs import ReservationPrograms
from slurm.slurmctld.scripts import Scripts
from slurm.slurmctld.session import Session, forget_names
from slurm.slurmctld.standbys import Standbys
from slurm.slurmctld.statistics import Counters
from slurm.slurmctld.submit_plugins import SubmitPlugins
from slurm.slurmctld.triggers import Triggers
from slurm.slurmctld.watchers import Watchers
from slurm.store.group_commit import GroupCommit
from slurm.store.journal import Journal
from slurm.wire import node_messages as n
from slurm.wire.messages import Message, failure

log = logging.getLogger("slurmctld")
_json = msgspec.json.Encoder()
TICK_SECONDS = 1.0
DUE_AT_ONCE = 50
"""Events that time brings about, in one turn of the loop; what is left is due in the next."""
DUE_AGAIN_SECONDS = 60.0
NAMES_SECONDS = 600.0
"""Names of users and their groups are looked up anew after so long, as GroupUpdateTime has it."""


class Controller:
    """One running slurmctld. `stop` asks its owner to end it; `conf_path` is what jobs see as SLURM_CONF."""

    def __init__(self, config: Config, cluster: Cluster, journal: Journal, commit: GroupCommit, *, operators: list[int], signer: Signer,
                 stop: Callable[[], None], broken: Callable[[StoreError], None], read: Callable[[str], Config] = load,
                 now: Callable[[], float] = time.time, clock: Clock | None = None) -> None:
        self.config = config
        self.cluster = cluster
        self.journal = journal
        self.operators = operators
        self.signer = signer
        self.accounting: Accounting | None = None  # who sends records to slurmdbd
        self.certifier: Certifier | None = None  # who vouches for users on other machines; None where there are none, or no slurm.key
        self.enrols = False  # whether daemons are given certificates by it, because MUNGE says whose they are
        self.credential_lifetime = setup.credential_lifetime(config)
        self.stop = stop
        self._read = read
        self._clock = clock  # by which `now` goes; None: by one that nobody sets
        self.now = now = clock or now
        self.started = now()
        self.conf_path = config.path
        self.verbosity = Verbosity(logging.getLogger().level, debug_flags.known(config.words("DebugFlags")))
        self.watchers = Watchers()
        self.followers = Followers(cluster, self.view, now)
        self.engine = self.followers.engine = Engine(cluster, commit, self.carry_out, self._noticed, broken)
        self.counters = Counters(cluster, now)
        self.planner = Planner(self.engine, now, self.counters)
        self._policy_clock = PolicyClock(self.engine, now)
        self.relays = Relays(cluster, self._relay_rules)
        self.directory: Directory = SystemDirectory()
        self.audit = Audit()  # of nothing, until there is a folder for it
        self.tokens: Tokens | None = None  # of auth/jwt
        self.past: Past | None = None  # None: there is no slurmdbd
        self.lookback: Lookback | None = None  # None: no history is kept
        self.links = Links(self.engine, now, self._order_for, config.cluster_name, signer.public, self.relays)
        self.links.make = lambda name, line: dynamic_nodes.registered(self.config, cluster, name, line, now())
        self.proofs = Proofs(self.engine, now, self.links.silence.lasts)
        self.proofs.programs = setup.programs_of(config)
        self.scripts = Scripts(self.engine, now, lambda job, kind: script_variables.of_controller(
            job, self.shape_of(job), cluster.settings, kind, self.conf_path))
        self.scripts.programs = setup.scripts_of(config)
        self.triggers = Triggers(self.engine, now, lambda: self.accounting.link.up if self.accounting is not None else None)
        self.triggers.conf_path = self.conf_path
        self.reservation_programs = ReservationPrograms(config)
        self.health = HealthRounds(cluster, lambda name: self.links.send(name, n.CheckHealth()), time.monotonic)
        self.health.use(config)
        self.power = PowerSaving(self.engine, now, lambda name: self.links.send(name, n.RebootNode()),
            lambda: {NodeName(name) for forecast in self.planner.forecasts.values() for name in forecast.nodes})
        self.power.programs, self.power.conf_path = setup.switching_of(config), self.conf_path
        self.holders = Holders(self._give_up, lambda: float(cluster.settings.inactive_limit or GRACE_SECONDS))
        self.beside = Beside()
        self.complaints = Seldom(log)
        self.reading = Beside()  # long requests: they do not wait for heavy looks, nor these for them
        self.reconfigured: Callable[[Config], None] = lambda config: None  # told after a new configuration holds
        self.why_no_mail: Callable[[], str] = lambda: ""  # why who asks for mail gets none
        self.submit_plugins: SubmitPlugins | None = None
        self.standbys: Standbys | None = None  # None: slurm.conf names one slurmctld
        self._timer: asyncio.TimerHandle | None = None
        self._names_until = 0.0
        self._failed_due: set[str] = set()
        # Few are enough: what is launched together was mostly submitted alike. One script may be 4 MB.
        self.payload = lru_cache(maxsize=32)(self._read_payload)
        self._environment = lru_cache(maxsize=32)(self._read_environment)

    # --- running ---------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the clockwork after state was restored: timers, lost effects, holders, first plan.

        Nodes are connected to nobody yet, whatever state says: each is used again once it has registered.
        """
        silent = [NodeSilent(at=self.now(), node=name) for name, node in self.cluster.nodes.items() if node.responding]
        if silent:
            self.engine.record(*silent)
        self.links.miss(event.node for event in silent)
        self.links.expect_all()
        for effect in recovery.pending_effects(self.cluster):
            try:
                self.carry_out(effect)
            except Exception:
                log.exception("%s could not be carried out", effect)
        for job in self.cluster.jobs.values():
            if job.het_job not in (0, job.id):
                continue  # its leader is held for all of them
            if job.request.kind == "alloc" and not job.request.no_shell and not job.state.finished and job.array_part is None:
                self.holders.expect(job.id)
        self.triggers.started()
        self.reservation_programs.started(self.cluster)
        self.power.started()
        self.planner.trigger()
        self._tick()

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        soon = False
        try:
            if not self.engine.stalled:
                self._follow_clock()
                for event in timers.due(self.cluster, self.now(), DUE_AT_ONCE, self._due_failed):
                    self._record_due(event)
                self._policy_clock.look()
                self.links.check_silence()
                self.proofs.look()
                soon = self.links.repeat(portions.SECONDS)
                soon = self._policy_clock.refresh_shares() or soon
                self.health.look()
                self.triggers.look()
                self.power.look()
            if loop.time() > self._names_until:
                self._names_until = loop.time() + NAMES_SECONDS
                forget_names()
        finally:
            following = None if self.engine.stalled else timers.next_due(self.cluster)
            wait = min(TICK_SECONDS, 0.02 if soon else TICK_SECONDS, TICK_SECONDS if following is None
                else max(0.005, following - self.now()))
            self._timer = loop.call_later(wait, self._tick)

    def _follow_clock(self) -> None:
        """Where the machine's clock was set, everything goes by the new one from here on, and nodes hear of it before they take orders."""
        if self._clock is None:
            return
        if self._clock.jump:
            self._clock.keep_jump(self.engine.seq + 1)
            by = self._clock.follow()
            self.engine.record(ClockSet(at=self.now(), by=by))
            self.links.broadcast(n.Alive(now=self.now()))
        else:
            self._clock.keep()

    def _due_failed(self, what: Timer, number: int, error: Exception) -> None:
        """Said once of each kind and job, until the next start."""
        told = f"{what.name} of {number}"
        if told not in self._failed_due:
            self._failed_due.add(told)
            log.error("what is due cannot be told, it is tried again every minute: %s", told, exc_info=error)

    def _record_due(self, event: Event) -> None:
        # Each due event is given out once: one that fails must not take the others with it, and is not lost.
        job = self.cluster.jobs.get(getattr(event, "job", JobId(0)))
        told = story(job) if job is not None else type(event).__name__
        try:
            self.engine.record(event)
        except IllegalTransition:
            log.exception("what was due cannot be: %s", told)
        except Exception:
            if told not in self._failed_due:
                self._failed_due.add(told)
                log.exception("%s was due and failed, it is tried again every minute: %s", type(event).__name__, told)
            asyncio.get_running_loop().call_later(DUE_AGAIN_SECONDS, self._record_due, event)
        else:
            self._failed_due.discard(told)

    async def close(self) -> None:
        """Stop what happens by itself; what was recorded is on disk when `engine.settled` returns."""
        if self._timer is not None:
            self._timer.cancel()
        self.holders.close()
        self.proofs.close()
        self.scripts.close()
        await self.triggers.close()
        await self.reservation_programs.close()
        self.power.close()
        self.planner.stop()
        self.followers.close()

    async def reconfigure(self) -> list[str]:
        """Read the configuration again and record it; ConfigError leaves everything as it was. Returns warnings."""
        config, made, wrong = setup.with_made(self._read(self.config.path), self.cluster.nodes.values())
        operators = setup.operators(config)
        event = setup.configured(config, self.now(), operators, lines=made, keeps=setup.reconfigure_keeps(config))
        event.settings.accounting = self.cluster.settings.accounting  # only a restart changes that
        self.health.use(config)
        leaving = self.links.leaving(node.name for node in event.nodes)
        durable = self.engine.record(event)
        warnings = [*wrong, *setup.needs_restart(self.config, config), *setup.left_out(config), *setup.risks(config), *config.warnings]
        self.proofs.programs = setup.programs_of(config)
        self.scripts.programs = setup.scripts_of(config)
        self.power.programs = setup.switching_of(config)
        self.config, self.operators, self.reservation_programs.config = config, operators, config
        forget_names()
        await durable
        self.links.reconfigured(leaving)
        self.reconfigured(config)
        log.info("configuration %s was read again", config.path)
        for warning in warnings:
            log.warning("%s", warning)
        return warnings

    # --- what handlers need ----------------------------------------------------------------------------------------------

    def find_job(self, text: str) -> Job:
        """The job of an id such as "12", "12_3" or "12+1"; NotFound."""
        return finding.find_job(self.cluster, text)

    def view(self, caller: Caller | None = None) -> View:
        """The cluster as the reports read it, with the jobs that `caller` may know of (None: all)."""
        return finding.view(self.cluster, caller, self.now(), self.planner.verdicts, self.planner.forecasts, self.planner.last_pass)

    def shape_of(self, job: Job) -> ArrayPart | None:
        """The array, as submitted, that a job is a task of."""
        ledger = self.cluster.arrays.get(job.array_job) if job.array_job else None
        return ledger.shape if ledger is not None else None

    def is_operator(self, uid: int) -> bool:
        """Whether this uid may administrate the cluster."""
        return uid == 0 or uid in self.operators

    def goes_first(self, session: Session) -> bool:
        """Whether what a caller asks is done before what others ask: an operator, but not where a compute node speaks for him."""
        return self.is_operator(session.caller.uid) and not session.peer.unelevated

    def mail_warnings(self, mail_type: str) -> list[str]:
        """What somebody is told who asks for mail where none is sent."""
        why = self.why_no_mail() if wishes(mail_type) else ""
        return [f"--mail-type: {why}"] if why else []

    def _relay_rules(self) -> Rules:
        return Rules(self.operators, ROOT_WORD in self.config.words("SlurmctldParameters"))

    def require_owner(self, session: Session, job: Job) -> None:
        """NotPermitted unless the caller owns the job or administrates."""
        if session.caller.uid != job.owner.uid and not self.is_operator(session.caller.uid):
            raise NotPermitted()

    def carry_out(self, effect: Effect) -> None:
        """Do what core wants done."""
        if isinstance(effect, Announce):
            self._announce(effect.job)
        elif isinstance(effect, RunScript) and recovery.still_due(self.cluster, effect):
            self.scripts.run(effect)
        elif isinstance(effect, Launch | Prepare | Terminate | SetLimit | Suspend | Signal | EndStep) and recovery.still_due(self.cluster,
                effect):
            self.links.carry_out(effect)

    def _announce(self, job_id: JobId) -> None:
        self.followers.announced(job_id)
        job = self.cluster.jobs.get(job_id)
        if job is not None and job.array_job and job.array_job != job_id:
            self.watchers.announce(job_id, job.array_job)
        elif job is not None and job.het and job.het_job != job_id:
            self.watchers.announce(job_id, job.het_job)
        else:
            self.watchers.announce(job_id)

    def _noticed(self, event: Event | None) -> None:
        self.counters.noticed(event)
        self.planner.noticed(event)
        self.triggers.noticed(event)
        self.reservation_programs.noticed(event)
        self.power.noticed(event)
        self.followers.noticed(event)

    def _give_up(self, job_id: JobId) -> None:
        job = self.cluster.jobs.get(job_id)
        if job is None or job.state.finished:
            return
        log.info("nobody holds the allocation of job %s any more", job_id)
        if job.state is JobState.PENDING:
            self.engine.record(Cancelled(at=self.now(), job=job_id, by=Uid(job.owner.uid)))
        else:
            self.engine.record(AllocationRelinquished(at=self.now(), job=job_id, status=0))

    # --- orders ----------------------------------------------------------------------------------------------------------

    def _topology_of(self, job: Job) -> str:
        partition = self.cluster.partitions.get(job.allocation.partition) if job.allocation is not None else None
        return partition.topology if partition is not None else ""

    def _order_for(self, effect: Effect, node: Node) -> Message | None:
        settings = self.cluster.settings
        if isinstance(effect, Launch):
            job = self.cluster.jobs.get(effect.job)
            if job is None or job.attempt != effect.attempt or job.allocation is None or job.state not in (
                    JobState.RUNNING, JobState.SUSPENDED):
                return None
            script = self.payload(job.payload.script).decode()
            return launch.batch_order(job, self.shape_of(job), effect, node, settings, self.conf_path, script,
                self._environment(job.payload.environment),
                                      self.time_left(job), self._told(effect, node, wanted=settings.node_prolog), self._topology_of(job),
                                      components.members(self.cluster.jobs, job) if job.het else ())
        if isinstance(effect, Prepare):
            job = self.cluster.jobs[effect.job]
            return n.PrepareJob(
                job=effect.job, attempt=effect.attempt, prolog=self._told(effect, node, wanted=settings.node_prolog),
                extern=launch.extern_step(job, node, settings, self.time_left(job)))
        if isinstance(effect, Terminate):
            return launch.terminate_order(effect, settings, self._told(effect, node, wanted=settings.node_epilog))
        if isinstance(effect, SetLimit):
            job = self.cluster.jobs.get(effect.job)
            if job is None or job.attempt != effect.attempt or job.state not in (JobState.RUNNING, JobState.SUSPENDED) or job.completing:
                return None
            return n.LimitJob(job=job.id, attempt=job.attempt, time_left=self.time_left(job))
        if isinstance(effect, Suspend):
            return launch.suspend_order(self.cluster.jobs.get(effect.job), effect, settings)
        if isinstance(effect, Signal):
            return launch.signal_order(effect)
        if isinstance(effect, EndStep):
            return n.TerminateStep(
                job=effect.job, attempt=effect.attempt, step=effect.step, why=effect.why, kill_wait=settings.kill_wait)
        return None

    def _told(self, effect: Launch | Prepare | Terminate, node: Node, *, wanted: bool) -> dict[str, str]:
        """What Prolog or Epilog of a node is told; {} where there is none, or the attempt is not the job's present one."""
        job = self.cluster.jobs.get(effect.job)
        if not wanted or job is None or job.attempt != effect.attempt:
            return {}
        return script_variables.on_node(job, node.name, self.cluster.settings, self.conf_path)

    @property
    def trouble(self) -> str:
        """What an operator should know at once, in sentences; "" for nothing."""
        found = [self.links.silence.isolated]
        if self.engine.stalled:
            found.append(f"the state of the cluster cannot be written, nothing new is taken and running jobs go on: {self.engine.stalled}")
        if self.accounting is not None:
            found.append(self.accounting.trouble)
        return "; ".join(filter(None, found))

    def time_left(self, job: Job) -> float:
        """Seconds until a running job is ended for its time limit, -1 for one without."""
        moment = self.cluster.kill_time(job)
        return -1.0 if moment is None else max(0.0, moment - self.now())

    def _read_payload(self, digest: Digest) -> bytes:
        return self.journal.payload(digest)

    def _read_environment(self, digest: Digest) -> dict[str, str]:
        return msgspec.json.decode(self.payload(digest), type=dict[str, str])

    async def looked_beside(self, work: Callable[[], Message], heavy: bool, session: Session) -> Message | bytes:
        """The reply of `work` for this caller, made in a process beside when it is heavy."""
        if not heavy:
            return work()

        def encoded() -> bytes:
            try:
                return _json.encode(work())
            except SlurmError as error:
                return _json.encode(failure(error))

        return await self.beside.run(encoded, session.caller.uid, first=self.goes_first(session))

    def dynamic_values(self) -> dict[str, str]:
        """What `scontrol show config` shows besides the configuration."""
        standbys = self.standbys
        seen = {} if standbys is None else {"CONTROLLERS": "\n".join(
            f"Slurmctld({mode_of(rank, len(standbys.hosts))}) at {host} is {'UP' if standbys.is_up(rank) else 'DOWN'}"
            for rank, host in enumerate(standbys.hosts))}
        return {**seen, "BOOT_TIME": str(int(self.started)), "NEXT_JOB_ID": str(self.cluster.next_job_id), "SLURM_CONF": self.conf_path,
            "SlurmctldDebug": shown_level(self.verbosity.level), "DebugFlags": ",".join(self.verbosity.flags) or "(null)"}
