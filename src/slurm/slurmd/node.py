"""Node: one slurmd's conversation with slurmctld. Orders come in, are handed to `steps`; what happens goes out as reports.

Not here: how a step is started or found again (`steps`, `reattach`), what srun asks (`step_server`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence

from slurm.daemon.logs import Seldom
from slurm.model import bounds, msgpack
from slurm.model.cpu_set import CpuSet
from slurm.model.errors import InvalidRequest, ProtocolError, SlurmError
from slurm.model.settings import Settings
from slurm.net.channels import Channels
from slurm.net.link import Link
from slurm.net.relay import Relay
from slurm.notation import exitstatus
from slurm.slurmd import batch_step, environment, extern_step, hardware, job_commands, reattach, remains, unkillable, unknown_steps, usage
from slurm.slurmd.answers import Answers
from slurm.slurmd.binding import Binding, Wish, settle
from slurm.slurmd.cgroup_places import Places
from slurm.slurmd.confining import Confining
from slurm.slurmd.credentials import Credentials
from slurm.slurmd.epochs import Epochs
from slurm.slurmd.gpu_metering import GpuMetering
from slurm.slurmd.gpus import lost
from slurm.slurmd.gpus.naming import Naming, naming_of
from slurm.slurmd.gpus.tree import Tree
from slurm.slurmd.hardware import Hardware
from slurm.slurmd.health import Health
from slurm.slurmd.heartbeats import Heartbeats
from slurm.slurmd.job_scripts import JobScripts
from slurm.slurmd.outbox import Outbox
from slurm.slurmd.private_folders import PrivateFolders
from slurm.slurmd.processors import Processors, machine_cores, memory_domains
from slurm.slurmd.questions import Questions
from slurm.slurmd.reboot import reboot
from slurm.slurmd.registration import registration
from slurm.slurmd.roster import JobHere, Roster, StepHere
from slurm.slurmd.script_run import Outcome
from slurm.slurmd.settings import NodeSettings
from slurm.slurmd.signalling import Signalling
from slurm.slurmd.stepd import cgroup
from slurm.slurmd.stepd.folder import BATCH, SCRIPT, Ended, StepKey, StepRecord
from slurm.slurmd.stepd.user import can_become
from slurm.slurmd.steps import Prepared, Steps
from slurm.wire import frames
from slurm.wire import node_messages as n
from slurm.wire.messages import Failure, Message
from slurm.wire.output_messages import ReadFile
from slurm.wire.relay_messages import OfChannel

log = logging.getLogger("slurmd")
_SILENCE_HEARTBEATS = 4
_SETTINGS = Settings()  # what bounds an order is the same everywhere
_UNKNOWN_SECONDS = 60.0
IN_STANDBY = "ESLURM_IN_STANDBY_MODE"


class Node:
    """One slurmd. `stop` asks its owner to end it, `reread` to read the configuration again.

    It is the listener of the link to slurmctld; `link` is set by its owner before the link starts.
    """

    link: Link

    def __init__(self, settings: NodeSettings, machine: Hardware, *, stop: Callable[[], None], reread: Callable[[], None],
                 relay: Relay | None = None, now: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.roster = Roster()
        self.outbox = Outbox(int(now() * 1000))
        self.steps = Steps(
            settings.spool, self.roster, self._on_ended, secured=not all(endpoint.is_unix for endpoint in settings.listen))
        self.credentials = Credentials(settings.spool, settings.site.cluster)
        self.answers = Answers(settings.spool, lambda: self.credentials.now)
        self.heartbeats = Heartbeats(settings.spool)
        self.epochs = Epochs(settings.spool)
        self.endpoint = str(settings.listen[0])  # what is told to others; `step_server` says so when it is a port
        self.kill_wait = 30
        self.accepted = asyncio.Event()
        self.scripts = JobScripts(settings.spool, settings.scripts, self.steps.helpers)
        self.scripts.doors = lambda job, attempt: extern_step.doors(self.roster.find(job, attempt))
        self.health = Health(self.steps.helpers)
        self._private = PrivateFolders(settings.private_folders, settings.node, settings.spool)
        self.gpus = GpuMetering(os.path.join(settings.spool, usage.READINGS), settings.gathering.task_seconds, self.steps.helpers)
        self._machine = machine
        self._relay = relay
        self._stop = stop
        self._reread = reread
        self._now = now
        self._started = now()
        self._cgroup = ""
        self._cgroups: list[str] = []  # its own in each hierarchy
        self._earlier: list[str] = []  # those of earlier slurmds over another spool, as long as something is in them
        self._confining: Confining
        self.naming = Naming()  # of the GPUs, to programs
        self.commands = ""  # the folder with this cluster's commands for jobs
        self.processors = Processors(settings.cpus, settings.threads_per_cpu, settings.threads,
            machine_cores(Tree(), hardware.real_cpus()))
        self._heartbeat: asyncio.Task[None] | None = None
        self._heard = now()
        self._strange = Seldom(log)
        self._after_prolog: set[tuple[int, int]] = set()  # attempts whose script is to be started once their Prolog has run
        self._tasks: set[asyncio.Task[None]] = set()
        self._devices = lost.Watch(settings.devices, os.path.join(settings.spool, usage.READINGS))
        self._decode = msgpack.decoder(n.ToNode).decode
        self._questions = questions = Questions(settings.node, self.roster, self._send, self.accepted.is_set, self.spawn)
        signalling = Signalling(self.roster, self.steps.orders, self._send, self.accepted.is_set, self.spawn)
        self._orders: dict[type[Message], Callable[..., None]] = {
            n.NodeAccepted: self._on_accepted, n.Alive: self._on_alive, n.Acknowledged: self._on_acknowledged,
            n.LaunchBatch: self._on_launch, n.TerminateJob: self._on_terminate, n.LimitJob: signalling.limit,
            n.SignalJob: signalling.signal, n.NotifyJob: signalling.notify, n.SuspendJob: signalling.suspend,
            n.TerminateStep: self._on_terminate_step,
            n.RebootNode: self._on_reboot,
            n.AskUsage: questions.usage, ReadFile: questions.file, n.PrepareJob: self._on_prepare, n.CheckHealth: self._on_check_health,
            n.ShutdownNode: self._on_shutdown, n.ReconfigureNode: self._on_reconfigure, Failure: self._on_failure,
        }

    # --- beginning and end -----------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Prepare the spool and take up the steps that are in it.

        OSError, StoreError; ConfigError where the kernel cannot do what cgroup.conf asks.
        """
        settings = self.settings
        self.steps.open(settings.node, unknown_steps.identity_of(settings.site.cluster, settings.node, settings.pid_file))
        self.commands = job_commands.make(self.settings.spool)
        self.credentials.open()
        self.epochs.open()
        for job, attempt in self.answers.open():
            self.roster.forbid(job, attempt)
        self.heartbeats.open()
        self._open_cgroups()
        self._private.open()
        if lacking := usage.missing(self.settings.gathering):
            log.error("%s", lacking)
        self.scripts.open()
        for step, ended in reattach.scan(self.steps.root, self.roster):
            if step.key.step == BATCH:
                self.outbox.put(n.BatchLaunched(serial=0, job=step.key.job, attempt=step.key.attempt, lease=step.lease))
            if ended is not None:
                self._on_ended(step, ended)
            else:
                log.info("step %s is taken up again", step.key.shown)
                if step.record is not None and step.record.gpu_readings:
                    self.gpus.hold(step.key)
                self.steps.adopt(step)
        self.answers.keep_begun(self.roster.has_seen)

    def connect(self) -> None:
        """Be there for slurmctld, once nothing is left of steps that this spool does not know: slurmctld takes what we do not name for
        over."""
        self.spawn(self._connect())

    async def _connect(self) -> None:
        await self.steps.end_unknown(self._cgroups, self._earlier, max(_UNKNOWN_SECONDS, self.settings.unkillable_seconds))
        self.link.start()

    def _open_cgroups(self) -> None:
        settings = self.settings
        places = Places(self.steps.own.group, settings.cgroup)
        self._cgroup = places.holding()
        self._confining = Confining(settings.cgroup, places, settings.real_memory, settings.devices)
        self.naming = naming_of(settings.devices, settings.gpu_variables, constrained=self._confining.hides_devices)
        self._cgroups = places.made
        self._earlier = places.beside(self.steps.own.groups)
        self.steps.use_cgroups([*self._cgroups, *self._earlier])
        if not self._cgroup and settings.track_by_cgroup:
            log.warning("ProctrackType=proctrack/cgroup: no cgroup can be made here; processes are found by their descent instead")
        if settings.cgroup.cores and settings.cpus > self.processors.count:
            log.warning("ConstrainCores=yes: node %s has %d CPUs, this machine %d: jobs are held to none", settings.node,
                settings.cpus, self.processors.count)

    def take_up(self, settings: NodeSettings) -> None:
        """What of a configuration that was read again holds at once."""
        self.settings = self.settings._replace(
            scripts=settings.scripts, health=settings.health, task_scripts=settings.task_scripts, step_plugins=settings.step_plugins,
            x11=settings.x11, x11_home=settings.x11_home)
        self.scripts.use(settings.scripts)

    async def close(self) -> None:
        """Let go of everything; steps go on."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        for task in list(self._tasks):
            task.cancel()
        self.scripts.close()
        self.steps.close()
        self.gpus.close()
        self.answers.close()
        for path in (*self._cgroups, *self._earlier):
            cgroup.remove_empty(path)
        self.heartbeats.close()
        await self._questions.close()

    def doing(self) -> str:
        """One plain sentence of what this node is doing."""
        where = "registered" if self.accepted.is_set() else "not registered"
        return f"{self.settings.node} is {where}, {self.roster.running} steps run, {len(self.outbox)} reports wait"

    # --- the link --------------------------------------------------------------------------------------------------------

    def on_up(self) -> None:
        """Connected: register."""
        self._heard = self._now()
        self.heartbeats.asked()
        holdings = self.roster.holdings({*self.scripts.attempts(), *self._private.attempts})
        self._send(registration(self.settings, self._machine, self._started, self.endpoint, holdings))

    def on_message(self, codec: int, payload: bytes) -> None:
        """An order or answer of slurmctld; what is not understood breaks the connection (the link does it)."""
        message = self._decode(payload)
        self._heard = self._now()
        try:
            bounds.check(message, _SETTINGS)
        except InvalidRequest as error:
            self._out_of_bounds(message, error)
            return
        if isinstance(message, OfChannel):
            if self._relay is not None and self._relay.channels is not None:
                self._relay.channels.on_message(message)
            return
        if isinstance(message, Failure) and message.name == IN_STANDBY:
            self.link.elsewhere("it is in standby mode")
        elif isinstance(message, n.Order) and not self.epochs.leads(message):
            self._send(self.epochs.refused(message))
            self.link.elsewhere("a later slurmctld leads")
        else:
            self._orders[type(message)](message)

    def on_late(self, codec: int, payload: bytes) -> bytes:
        """Something came on the connection that was given up for its silence: from a slurmctld that was stopped, and woke up."""
        message = self._decode(payload)
        if not isinstance(message, n.Order) or message.epoch >= self.epochs.latest.epoch:
            return b""  # it was slow; this node registers with it anew, or with a later one
        return frames.pack(frames.MSGPACK, msgpack.encode(self.epochs.refused(message, late=True)))

    def _out_of_bounds(self, message: Message, error: InvalidRequest) -> None:
        """Nothing of it is done.

        A connection broken for it would be made anew, and the same said again: a launch is refused instead, which ends it.
        """
        told = "; ".join(error.hints)
        if isinstance(message, OfChannel):
            raise ProtocolError(hints=error.hints)
        self._strange.warning("slurmctld", f"{type(message).__name__} is passed over: {told}")
        if isinstance(message, n.LaunchBatch) and batch_step.names_an_attempt(message, _SETTINGS):
            self._refuse(message, f"its order cannot be carried out: {told}")

    def on_down(self, why: str) -> None:
        """Disconnected: reports wait, steps go on."""
        log.info("slurmctld is not connected: %s", why)
        self.accepted.clear()
        self.heartbeats.disconnected()
        self.outbox.shut()
        if self._relay is not None:
            self._relay.down(why)
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            self._heartbeat = None

    def _send(self, message: Message) -> None:
        self.link.send(frames.pack(frames.MSGPACK, msgpack.encode(message)))

    def _on_accepted(self, message: n.NodeAccepted) -> None:
        if message.step_key:
            self.credentials.learn(message.step_key, message.now)
        self.heartbeats.answered()
        for job, attempt in message.unknown:
            self._abandon(job, attempt)
        self.outbox.open(self._send)
        self.accepted.set()
        if self._relay is not None:
            self._relay.up(Channels(self._send, self.link.drained))
        log.info("node %s is registered with cluster %s", self.settings.node, message.cluster_name)
        self._devices.forget()
        self._keep_time(message.kill_wait, message.heartbeat)

    def _keep_time(self, kill_wait: int, heartbeat: float) -> None:
        self.kill_wait = kill_wait
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        self._heartbeat = asyncio.get_running_loop().create_task(self._beat(heartbeat))

    def _on_alive(self, message: n.Alive) -> None:
        self.credentials.heard(message.now)
        self.heartbeats.answered()

    def _on_acknowledged(self, message: n.Acknowledged) -> None:
        self.outbox.acknowledge(message.serial)

    def _on_failure(self, message: Failure) -> None:
        log.error("slurmctld refuses this node: %s", "; ".join([message.message, *message.hints]))

    def _on_shutdown(self, message: n.ShutdownNode) -> None:
        log.info("slurmctld asks for an end; steps go on")
        self._stop()

    def _on_reconfigure(self, message: n.ReconfigureNode) -> None:
        self._keep_time(message.kill_wait, message.heartbeat)
        self._reread()

    async def _beat(self, seconds: float) -> None:
        while True:
            load, free = hardware.load()
            self.heartbeats.asked()
            self._send(n.Heartbeat(load=load, free_memory=free))
            self._devices.tell(self._send)
            await asyncio.sleep(seconds)
            if self._now() - self._heard > _SILENCE_HEARTBEATS * seconds:
                self.link.leave(f"nothing was heard for {self._now() - self._heard:.0f} s")

    # --- orders ----------------------------------------------------------------------------------------------------------

    def _on_launch(self, order: n.LaunchBatch) -> None:
        here = self.roster.find(order.job, order.attempt)
        if here is not None and BATCH in here.seen:
            if BATCH in here.steps and not here.steps[BATCH].begun:
                log.info("job %s attempt %s is being started; the answer follows", order.job, order.attempt)
            elif BATCH in here.steps:  # a repeated order gets the same answer; how it ended waits in the outbox, if it has
                self.outbox.put(n.BatchLaunched(serial=0, job=order.job, attempt=order.attempt, lease=here.steps[BATCH].lease))
            else:
                self._refuse(order, "this attempt has run here already")
        elif self.roster.is_past(order.job, order.attempt):
            self._refuse(order, "this attempt was ended before it began")
        elif not can_become(order.uid):
            self._refuse(order, f"slurmd runs as uid {os.geteuid()} and cannot run jobs of uid {order.uid}", drain=True)
        elif self.scripts.prolog_done(order.job, order.attempt):
            self._prepare(order)
        elif (order.job, order.attempt) not in self._after_prolog:
            self._after_prolog.add((order.job, order.attempt))
            self.spawn(self._launch_after_prolog(order))

    async def _launch_after_prolog(self, order: n.LaunchBatch) -> None:
        try:
            failed = await extern_step.begin(self, order.job, order.attempt, extern_step.of_batch(order)) if self.scripts.in_job else ""
            ready = not failed and await self.prepared(order.job, order.attempt, order.prolog)
        finally:
            self._after_prolog.discard((order.job, order.attempt))
        if ready and not self.roster.is_past(order.job, order.attempt):  # else it is being ended, and that is answered
            self._on_launch(order)

    async def prepared(self, job: int, attempt: int, told: Mapping[str, str]) -> bool:
        """Run the Prolog of an attempt if it was not run before; whether it went well. When it failed, slurmctld is told."""
        try:
            outcome = await self.scripts.prolog(job, attempt, told)
        except OSError as error:
            outcome = Outcome(f"it cannot be begun: {error.strerror}")
        if outcome.why:
            self.outbox.put(n.JobPrepared(serial=0, job=job, attempt=attempt, failed=f"Prolog error: {outcome.why}"))
        return not outcome.why

    def _on_prepare(self, order: n.PrepareJob) -> None:
        if not self.roster.is_past(order.job, order.attempt):
            self.spawn(self._prepare_job(order))

    async def _prepare_job(self, order: n.PrepareJob) -> None:
        job, attempt, extern = order.job, order.attempt, order.extern
        failed = await extern_step.begin(self, job, attempt, extern) if extern is not None and self.scripts.in_job else ""
        if not failed and not await self.prepared(job, attempt, order.prolog):
            return
        if extern is not None and not failed:
            failed = await extern_step.begin(self, job, attempt, extern)
        self.outbox.put(n.JobPrepared(serial=0, job=job, attempt=attempt, failed=failed))

    def _on_check_health(self, order: n.CheckHealth) -> None:
        self.spawn(self.check_health())

    async def check_health(self) -> None:
        """Run HealthCheckProgram, where there is one."""
        await self.health.run(self.settings.health, self._variables())

    def _variables(self) -> dict[str, str]:
        path = os.pathsep.join(filter(None, (self.commands, os.environ.get("PATH", os.defpath))))
        return {"SLURM_CONF": self.settings.conf, "SLURMD_NODENAME": self.settings.node, "PATH": path}

    def _on_reboot(self, order: n.RebootNode) -> None:
        self.spawn(reboot(self.settings.reboot_program, self._variables()))

    def _prepare(self, order: n.LaunchBatch) -> None:
        try:
            prepared = self.prepare(self.batch_record(order), script=order.script)
        except FileExistsError:
            self._refuse(order, "the spool has a step of this attempt that this slurmd does not know: restart slurmd")
        except OSError as error:
            self._refuse(order, f"cannot write the job's files to {self.settings.spool}: {error.strerror}", drain=True)
        else:
            self.spawn(self._launch(order, prepared))

    async def _launch(self, order: n.LaunchBatch, prepared: Prepared) -> None:
        try:
            await self.steps.launch(prepared)
        except SlurmError as error:
            self._refuse(order, error.message)
            self.not_begun(prepared.step.key)
        else:
            self.outbox.put(n.BatchLaunched(serial=0, job=order.job, attempt=order.attempt, lease=order.lease))

    def not_begun(self, key: StepKey) -> None:
        """A step could not be forked: if its job is being ended meanwhile, nothing may be left of it to wait for."""
        self.gpus.release(key)
        here = self.roster.find(key.job, key.attempt)
        if here is not None and here.over and not here.running and not here.gone_told:
            self._leave(key.job, key.attempt)

    def batch_record(self, order: n.LaunchBatch) -> StepRecord:
        """What the slurmstepd of a batch script is told."""
        script = os.path.join(self.steps.path_of(StepKey(order.job, order.attempt, BATCH)), SCRIPT)
        record = batch_step.record_of(order, self.settings.node, script, self.binding(order.cpus), self.naming)
        return self.completed(record, order.memory, order.cpus, order.devices)

    def completed(self, record: StepRecord, job_memory: int, cpus: CpuSet, devices: Sequence[str]) -> StepRecord:
        """A record with what is the same for every step of this node, what its cgroups hold it to, and the mark by which its processes are
        known."""
        settings = self.settings
        self._make_commands()
        holding, confined = self._confining.of(self._cgroup, record.key.job_name, record.memory, job_memory, self.processors.of(cpus), devices)
        return record._replace(
            private_shared=self._private.shared, nice=environment.nice_of(record.environment, settings.nice),
            **usage.measured(settings.gathering, record, settings.spool), cgroup=holding, confined=confined,
            commands=self.commands, mark=remains.mark_of(self.steps.own.instance, record.key), start_seconds=settings.start_seconds,
            unkillable_seconds=settings.unkillable_seconds, heartbeat=self.heartbeats.path,
            plugins=[{**plugin._asdict(), "options": ()} for plugin in settings.step_plugins],
            task_prologs=[*settings.task_scripts.prolog, *record.task_prologs],
            task_epilogs=[*settings.task_scripts.epilog, *record.task_epilogs])

    def _make_commands(self) -> None:
        """Again, where somebody removed what the spool held."""
        if self.commands and not os.path.isdir(self.commands):
            try:
                self.commands = job_commands.make(self.settings.spool)
            except OSError as error:
                log.error("%s was removed and cannot be made anew: %s", self.commands, error.strerror)

    def prepare(self, record: StepRecord, *, script: str | None = None, early: bytes = b"") -> Prepared:
        """As Steps.prepare; the GPUs of a step that has some are measured from now on until it ends."""
        record = record._replace(private=self._private.of(record.job, record.attempt, record.uid, record.gid))
        prepared = self.steps.prepare(record, script=script, early=early)
        if record.gpu_readings:
            self.gpus.hold(record.key)
        return prepared

    def binding(self, cpus: CpuSet) -> list[int]:
        """The machine's CPUs to bind to; none where tasks are not bound or the node is only emulated and has more CPUs than the machine."""
        return self.processors.of(cpus) if self.settings.bind_cpus else []

    def bound(self, wish: Wish, cpus: CpuSet, tasks: int) -> Binding:
        """The CPUs of each task of a step; NotationError, InvalidRequest for a wish that its CPUs do not fulfil."""
        return settle(wish, self.binding(cpus), tasks, self.processors.machine, lambda: memory_domains(Tree()))

    def _refuse(self, order: n.LaunchBatch, why: str, *, drain: bool = False) -> None:
        log.error("job %s attempt %s cannot be started: %s", order.job, order.attempt, why)
        self.outbox.put(n.LaunchRefused(serial=0, job=order.job, attempt=order.attempt, why=why, drain=drain))

    def _on_terminate(self, order: n.TerminateJob) -> None:
        here = self.roster.close(order.job, order.attempt)
        here.told = order.epilog
        self.answers.over(order.job, order.attempt)
        kept = extern_step.keep(self, here)
        for step in here.running:
            if step is not kept:
                self._end(step, order.why, order.kill_wait, order.at)
        if not here.running and not here.gone_told:
            self._leave(order.job, order.attempt)
        self._run_epilog_within(here)

    def _run_epilog_within(self, here: JobHere) -> None:
        """Once nothing of an attempt that ends is left but its extern step, where Epilog belongs into that."""
        kept = extern_step.keep(self, here) if here.told is not None else None
        if kept is not None and here.running == [kept]:
            self.spawn(extern_step.epilog(self, here, kept, here.told or {}))

    def _on_terminate_step(self, order: n.TerminateStep) -> None:
        here = self.roster.find(order.job, order.attempt)
        step = here.steps.get(order.step) if here is not None else None
        if step is not None and step.ended is None:
            self._end(step, order.why, order.kill_wait, self._now())

    def _end(self, step: StepHere, why: str, kill_wait: int, at: float) -> None:
        self.steps.orders.terminate(step, why, kill_wait, at)

    def _abandon(self, job: int, attempt: int) -> None:
        """slurmctld does not know this attempt: end it without a report."""
        here = self.roster.close(job, attempt)
        self.answers.over(job, attempt)
        here.unwanted = True
        self.outbox.withdraw(job, attempt)
        log.error("slurmctld does not know job %s attempt %s: it is ended", job, attempt)
        for step in list(here.steps.values()):
            if step.ended is None:
                self._end(step, "cancelled", self.kill_wait, self._now())
            else:
                self.steps.remove(step)
        self._drop_unwanted(job, attempt)

    # --- reports ---------------------------------------------------------------------------------------------------------

    def _on_ended(self, step: StepHere, ended: Ended) -> None:
        key = step.key
        self.gpus.release(key)
        nothing_left = self.roster.end(step, ended)
        if key.step == BATCH:
            self.answers.over(key.job, key.attempt)
        elif ended.note:
            self.answers.failed(key, {"message": ended.note, "name": "", "hints": []})
        else:
            self.answers.ended(key, {int(rank): status for rank, status in ended.statuses.items()})
        log.info("step %s ended with %s%s", key.shown, exitstatus.show(ended.status), f": {ended.note}" if ended.note else "")
        here = self.roster.jobs[key.job, key.attempt]
        if here.unwanted:
            self.steps.remove(step)
            self._drop_unwanted(key.job, key.attempt)
            return
        self.outbox.put(
            n.StepEnded(
                serial=0, job=key.job, attempt=key.attempt, step=key.step, status=ended.status, oom=ended.oom,
                usage=usage.of(ended.usage, self.settings.node), why=ended.note,
                began=ended.began, drain=unkillable.reason(self.settings.node, key, ended.unkillable), limit=ended.limit),
            lambda: self.steps.remove(step))
        if ended.unkillable:
            self.spawn(unkillable.look_after(self.settings, key, ended.unkillable, self.steps.helpers))
        if nothing_left:
            self._leave(key.job, key.attempt)
        elif here.over:
            self._run_epilog_within(here)

    def _leave(self, job: int, attempt: int) -> None:
        """No process of an attempt is left: its Epilog is run, then slurmctld is told.

        What Epilog is told of the job comes with the order to end it.
        """
        here = self.roster.close(job, attempt)
        scripted = self.scripts.has("epilog") or self.scripts.knows(job, attempt)
        if not scripted or self.scripts.is_over(job, attempt):
            self._tell_gone(job, attempt)
        elif here.told is None:
            here.gone_told = False
        else:
            here.gone_told = True
            self.spawn(self._run_epilog(job, attempt, here.told))

    async def _run_epilog(self, job: int, attempt: int, told: Mapping[str, str]) -> None:
        try:
            outcome = await self.scripts.epilog(job, attempt, told)
        except OSError as error:
            outcome = Outcome(f"it cannot be begun: {error.strerror}")
        self._tell_gone(job, attempt, drain="Epilog error" if outcome.why else "")

    def _tell_gone(self, job: int, attempt: int, drain: str = "") -> None:
        self.roster.close(job, attempt).gone_told = True
        if (job, attempt) in self._private.attempts:
            self.spawn(self._tell_gone_without_folders(job, attempt, drain))
            return

        def acknowledged() -> None:
            self.roster.drop_job(job, attempt)
            if self.scripts.knows(job, attempt):
                self.scripts.forget(job, attempt)

        self.outbox.put(n.JobGone(serial=0, job=job, attempt=attempt, drain=drain), acknowledged)

    async def _tell_gone_without_folders(self, job: int, attempt: int, drain: str) -> None:
        await self._private.clear(job, attempt)
        self._tell_gone(job, attempt, drain)

    def _drop_unwanted(self, job: int, attempt: int) -> None:
        """slurmctld does not want to hear of it; what the site wants done after a job is done all the same."""
        here = self.roster.find(job, attempt)
        if here is not None and here.running:
            return
        self.roster.drop_job(job, attempt)
        if (job, attempt) in self._private.attempts:
            self.spawn(self._private.clear(job, attempt))
        if (self.scripts.has("epilog") or self.scripts.knows(job, attempt)) and not self.scripts.is_over(job, attempt):
            self.spawn(self._end_unwanted(job, attempt))

    async def _end_unwanted(self, job: int, attempt: int) -> None:
        try:
            await self.scripts.epilog(job, attempt, {})
        except OSError as error:
            log.error("job %s attempt %s: its Epilog cannot be begun: %s", job, attempt, error.strerror)
        self.scripts.forget(job, attempt)

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        """Let something go on beside; what goes wrong in it is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("an order failed", exc_info=task.exception())
