"""ClusterState: the records of the cluster and the indices over them. What events do to it lives in the modules that fold them."""

from __future__ import annotations

from collections.abc import Iterator

from slurm.core import components
from slurm.core.arrays import Ledger
from slurm.core.keys import Keys
from slurm.core.licenses import Licenses
from slurm.core.names import NameIndex
from slurm.core.payload_uses import PayloadUses
from slurm.core.policy import state as counting
from slurm.core.recorded import Recorded
from slurm.core.timer_heap import Timer, Timers
from slurm.core.unsaved import Unsaved
from slurm.model.cpu_set import CpuSet
from slurm.model.crontab import Crontab
from slurm.model.errors import NotFound
from slurm.model.ids import JobId, NodeName, Uid
from slurm.model.job import Job
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.model.reservation import Reservation
from slurm.model.settings import Settings
from slurm.model.states import JobState
from slurm.model.trigger import Trigger

BOOTING = "booting"
"""Flag of a job that waits for nodes to be powered up or started anew; users see it as CONFIGURING."""


class ClusterState:
    """Records by id or name, and indices kept with every event.

    `pending` holds the jobs that wait for a start, in order of their arrival in the queue; `active` those that hold resources;
    `arrays` what is known of each array beyond its records; `dependents` which waiting jobs look at which job or array.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.nodes: dict[NodeName, Node] = {}
        self.partitions: dict[str, Partition] = {}
        self.reservations: dict[str, Reservation] = {}  # in the order of their making
        self.next_reservation = 1
        self.crontabs: dict[Uid, Crontab] = {}
        self.triggers: dict[int, Trigger] = {}
        self.next_trigger = 1
        self.epoch = 0  # of the slurmctld that leads; higher with each one that took the lead
        self.leader = ""  # its name in SlurmctldHost
        self.jobs: dict[JobId, Job] = {}
        self.next_job_id = JobId(self.settings.first_job_id)
        self.pending: dict[JobId, Job] = {}
        self.active: dict[JobId, Job] = {}
        self.suspended: dict[JobId, Job] = {}  # those of the active that hold still
        self.promised: dict[JobId, Job] = {}  # those of the pending for which others give way
        self.overlaps: dict[NodeName, list[CpuSet]] = {}  # CPUs that at least two jobs have, at least three, …, of nodes with such
        self.arrays: dict[JobId, Ledger] = {}
        self.dependents: dict[JobId, set[JobId]] = {}
        self.generation = 0  # of nodes and partitions: another number whenever they change, other than by what jobs hold
        self.changes = 0  # another number with every event that may change who of those that wait may start, and when
        self.reordered = 0  # another number with every event that may change the order of those that wait
        self.touched: set[NodeName] = set()  # nodes on which jobs have begun or ended since the planner last took their names away
        self.names = NameIndex()
        self.payloads = PayloadUses()
        self.unsaved = Unsaved()
        self.keys = Keys(self.unsaved.keys)
        self.last_place = 0  # the highest Job.queue_place that was given
        self.recording = Recorded()
        self.policy = counting.Policy()
        self.timers = Timers()
        self.licenses = Licenses()
        self.uneven: set[JobId] = set()  # components that this event changed: the others of their heterogeneous jobs follow at its end
        self.ends: dict[JobState, int] = {}  # how many jobs ended so in this process, for statistics; in no snapshot

    def count_end(self, final: JobState, jobs: int) -> None:
        """So many jobs, or tasks that never were jobs of their own, have ended so."""
        self.ends[final] = self.ends.get(final, 0) + jobs

    def job(self, job_id: int) -> Job:
        """The record of this id; NotFound with Slurm's words."""
        found = self.jobs.get(JobId(job_id))
        if found is None:
            raise NotFound("ESLURM_INVALID_JOB_ID", hints=[f"no job {job_id} is known: it never was, or it ended long ago"])
        return found

    def task(self, array: int, task: int) -> Job | None:
        """The record of one task of an array: its own once it started, the array's while it waits, None when neither is left."""
        ledger = self.arrays.get(JobId(array))
        if ledger is None:
            return None
        own = ledger.records.get(task)
        if own is not None:
            return self.jobs.get(own)
        master = self.jobs.get(JobId(array))
        if master is not None and master.array_part is not None and ledger.waits(master.array_part, task):
            return master
        return None

    def find(self, text: str) -> Job | None:
        """The job of an id as people write it, "12", "12_3" or "12+1"; None when there is none (or the text is no such id)."""
        if "+" in text:
            leader, _, offset = text.strip().partition("+")
            return self.component(int(leader), int(offset)) if leader.isdecimal() and offset.isdecimal() else None
        number, underscore, task = text.strip().partition("_")
        if not number.isdecimal() or (underscore and not task.isdecimal()):
            return None
        return self.task(int(number), int(task)) if underscore else self.jobs.get(JobId(int(number)))

    def component(self, leader: int, offset: int) -> Job | None:
        """The record of a component of a heterogeneous job; None when there is none."""
        first = next((job for job in (self.jobs.get(JobId(leader)),) if job is not None and job.het_job == job.id), None)
        return self.jobs.get(first.het[offset]) if first is not None and offset < len(first.het) else None

    def tasks_of(self, job_id: int) -> list[Job]:
        """Every record that belongs to this id; [] when unknown.

        That is the job itself, or the array's waiting record and its started tasks, or of the leader of a heterogeneous job all its
        components.
        """
        ledger = self.arrays.get(JobId(job_id))
        if ledger is None:
            job = self.jobs.get(JobId(job_id))
            if job is None:
                return []
            whole = job.het and (job.het_job == job.id or self.settings.whole_hetjob)
            return components.members(self.jobs, job) if whole else [job]
        members = [self.jobs[own] for own in ledger.records.values()]
        master = self.jobs.get(JobId(job_id))
        if master is not None and master.array_part is not None:
            members.append(master)
        return members

    def pending_jobs(self) -> Iterator[Job]:
        """Jobs that wait for a start, in order of their arrival in the queue."""
        return iter(self.pending.values())

    def running_tasks(self, array: JobId) -> int:
        """How many tasks of an array hold resources now, for %limit."""
        ledger = self.arrays.get(array)
        return ledger.running if ledger is not None else 0

    def array_limit(self, array: JobId) -> int:
        """How many tasks of an array may run at once, 0 for no limit."""
        ledger = self.arrays.get(array)
        return ledger.shape.limit if ledger is not None else 0

    def default_partition(self) -> str:
        """The name of the partition with Default=YES, "" where there is none."""
        return next((name for name, partition in self.partitions.items() if partition.default), "")

    def allocate_id(self, wanted: JobId | None = None) -> JobId:
        """Take a job id: the one an event names, or the next one; ids begin again after MaxJobId and skip those in use."""
        job_id = wanted or self.next_job_id
        lowest = self.settings.first_job_id
        span = self.settings.max_job_id - lowest + 1
        for offset in range(1, span + 1):
            self.next_job_id = JobId(lowest + (job_id - lowest + offset) % span)
            if self.next_job_id != job_id and not self.in_use(self.next_job_id):
                break
        return job_id

    def free_ids(self, count: int) -> list[JobId]:
        """The ids that so many jobs which come together will get, in order."""
        lowest, highest = self.settings.first_job_id, self.settings.max_job_id
        found = [self.next_job_id]
        for _ in range(highest - lowest):
            if len(found) >= count:
                break
            last = found[-1]
            following = JobId(lowest + (last - lowest + 1) % (highest - lowest + 1))
            while self.in_use(following) and following != self.next_job_id:
                following = JobId(lowest + (following - lowest + 1) % (highest - lowest + 1))
            found.append(following)
        return found

    def in_use(self, job_id: JobId) -> bool:
        """Whether an id belongs to a job or an array that is still in memory."""
        return job_id in self.jobs or job_id in self.arrays

    def add_job(self, job: Job) -> None:
        """A record that was not there; whether it waits is said by `enter_queue`."""
        self.jobs[job.id] = job
        self.payloads.add(job.payload)
        self.changed(job)

    def drop_job(self, job: Job) -> None:
        """A record leaves memory."""
        del self.jobs[job.id]
        self.payloads.drop(job.payload)
        self.timers.drop(job.id, Timer.PURGE)
        self.changed(job)

    def changed(self, job: Job) -> None:
        """A job's record is not as the last snapshot has it, nor perhaps what is known of its array."""
        self.unsaved.jobs.add(job.id)
        if job.array_job:
            self.unsaved.arrays.add(job.array_job)

    def enter_queue(self, job: Job) -> None:
        """A record waits for a start, behind those that wait already."""
        self.last_place += 1
        job.queue_place = self.last_place
        self.changed(job)
        self.index_waiting(job)

    def index_waiting(self, job: Job) -> None:
        """Index a record that waits for a start."""
        self.pending[job.id] = job
        if job.promise is not None:
            self.promised[job.id] = job
        self.names.waits(job)
        counting.waits(self, job)

    def leave_queue(self, job: Job) -> None:
        """The record does not wait any more."""
        self.changed(job)
        self.pending.pop(job.id, None)
        if job.promise is not None:
            job.promise = None
            self.promised.pop(job.id, None)
        self.names.leaves(job)
        self.timers.drop(job.id, Timer.BEGIN, Timer.DELAY, Timer.DEADLINE, Timer.CRON)
        counting.stops_waiting(self, job)

    def enter_service(self, job: Job, at: float) -> None:
        """Index a record that holds resources."""
        self.active[job.id] = job
        if job.state is JobState.SUSPENDED and not job.completing:
            self.suspended[job.id] = job
        self.names.runs(job)
        self.licenses.take(job)
        counting.runs(self, job, at)

    def leave_service(self, job: Job, at: float) -> None:
        """The record holds nothing any more."""
        del self.active[job.id]
        self.suspended.pop(job.id, None)
        self.names.ends(job)
        self.licenses.give_back(job)
        self.timers.drop(job.id, Timer.WARN, Timer.LIMIT, Timer.GRACE)
        counting.stops_running(self, job, at)

    def index_name(self, job: Job) -> None:
        """Put a job among its namesakes, by what it does now."""
        if job.id in self.pending:
            self.names.waits(job)
        if job.id in self.active:
            self.names.runs(job)

    def unindex_name(self, job: Job) -> None:
        """Take a job from among its namesakes, before its name changes."""
        self.names.leaves(job)
        self.names.ends(job)

    def set_deadline_timer(self, job: Job) -> None:
        """Look at a waiting job when it could no longer end before its deadline."""
        moment = latest_start(job)
        if moment is not None:
            self.timers.set(moment, Timer.DEADLINE, job.id)

    def set_waiting_timers(self, job: Job) -> None:
        """Look at a waiting job whenever time may change something for it: begin, delays of after:, deadline."""
        if job.not_before:
            self.timers.set(job.not_before, Timer.BEGIN, job.id)
        if job.cron is not None and not job.cron.planned:
            self.timers.set(job.submit_time, Timer.CRON, job.id)
        for clause in job.dependency:
            if clause.since and clause.state == "unfulfilled":
                self.timers.set(clause.since + clause.delay, Timer.DELAY, job.id)
        self.set_deadline_timer(job)

    def remember_targets(self, job: Job) -> None:
        """Index which jobs a waiting job looks at."""
        for clause in job.dependency:
            if clause.job:
                self.dependents.setdefault(clause.job, set()).add(job.id)

    def forget_targets(self, job: Job) -> None:
        """The job looks at nobody any more."""
        for clause in job.dependency:
            waiting = self.dependents.get(clause.job)
            if waiting is not None:
                waiting.discard(job.id)
                if not waiting:
                    del self.dependents[clause.job]

    def expected_end(self, job: Job) -> float | None:
        """When a running job's time is over, in seconds since the epoch; None when it has no limit or does not run."""
        if job.state is not JobState.RUNNING or job.time_limit < 0:
            return None
        return job.start_time + job.suspended_seconds + job.time_limit + (self.boot_seconds(job.partition) if BOOTING in job.flags else 0)

    def boot_seconds(self, partition: str) -> int:
        """How long a node of a partition may take to come up: ResumeTimeout. The time limit of a job begins when its nodes are there."""
        own = self.partitions[partition].resume_timeout if partition in self.partitions else None
        return self.settings.resume_timeout if own is None else own

    def kill_time(self, job: Job) -> float | None:
        """When a running job is ended for its time limit, the end plus OverTimeLimit, or with its reservation; None without a limit."""
        own = self._own_limit(job)
        if job.end_by and job.state in (JobState.RUNNING, JobState.SUSPENDED):
            return job.end_by if own is None else min(own, job.end_by)
        return own

    def _own_limit(self, job: Job) -> float | None:
        end = self.expected_end(job)
        if end is None:
            return None
        partition = self.partitions.get(job.partition)
        over = (partition.over_time_limit if partition is not None and partition.over_time_limit is not None
            else self.settings.over_time_limit)
        return None if over < 0 else end + over


def latest_start(job: Job) -> float | None:
    """The last moment at which a job can start and still end by its --deadline, None without one."""
    if not job.request.deadline:
        return None
    needed = job.request.time_min if job.request.time_min is not None else job.time_limit
    return job.request.deadline - max(needed, 0)
