"""Counters of this controller for sdiag: what jobs did, how long passes and requests took.

Counting costs nobody anything that can be measured.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from slurm.core import arrays
from slurm.core.cluster import Cluster
from slurm.core.events import Event, Started, Submitted
from slurm.model.ids import Uid
from slurm.model.states import JobState
from slurm.model.statistics import RequestCount, Statistics, UserCount
from slurm.sched.proposal import Depth
from slurm.slurmctld.session import user_name
from slurm.wire import messages as m
from slurm.wire.follow_messages import Follow

NAMES: dict[str, tuple[str, int]] = {
    "SubmitJob": ("REQUEST_SUBMIT_BATCH_JOB", 4003), "TestJob": ("REQUEST_JOB_WILL_RUN", 4012),
    "AllocateJob": ("REQUEST_RESOURCE_ALLOCATION", 4001), "WaitReady": ("REQUEST_JOB_READY", 4019),
    "Relinquish": ("REQUEST_COMPLETE_JOB_ALLOCATION", 5017), "CreateStep": ("REQUEST_JOB_STEP_CREATE", 5001),
    "FinishStep": ("REQUEST_STEP_COMPLETE", 5016), "CancelJobs": ("REQUEST_KILL_JOB", 5032), "UpdateJob": ("REQUEST_UPDATE_JOB", 3001),
    "RequeueJobs": ("REQUEST_JOB_REQUEUE", 5023), "SuspendJobs": ("REQUEST_SUSPEND", 5014), "ResumeJobs": ("REQUEST_SUSPEND", 5014),
    "UpdateNode": ("REQUEST_UPDATE_NODE", 3002),
    "CreateReservation": ("REQUEST_CREATE_RESERVATION", 3006), "UpdateReservation": ("REQUEST_UPDATE_RESERVATION", 3009),
    "DeleteReservation": ("REQUEST_DELETE_RESERVATION", 3008),
    "UpdatePartition": ("REQUEST_UPDATE_PARTITION", 3005), "ListJobs": ("REQUEST_JOB_INFO", 2003), "ListNodes": ("REQUEST_NODE_INFO", 2007),
    "BatchScript": ("REQUEST_BATCH_SCRIPT", 2051), "Reconfigure": ("REQUEST_RECONFIGURE", 1003), "Shutdown": ("REQUEST_SHUTDOWN", 1005),
    "Ping": ("REQUEST_PING", 1008), "ReadStatistics": ("REQUEST_STATS_INFO", 2035),
}
"""Our requests → Slurm's name and number for the like; the others are shown under our own names."""
WAITING = frozenset((m.WaitJob, m.WaitReady, m.WatchEvents, m.AllocateJob, m.AttachAllocation, Follow))
"""Requests whose replies wait for something to happen: they are counted, their time is nobody's work."""
_LATENCY_CALLS = 1000


class _Tally:
    __slots__ = ("count", "micros")

    def __init__(self) -> None:
        self.count = 0
        self.micros = 0

    def add(self, micros: int) -> None:
        self.count += 1
        self.micros += micros


class Passes:
    """Planner's passes of one kind, times in microseconds."""

    def __init__(self) -> None:
        self.count = self.last = self.longest = self.total = 0
        self.depth = self.depth_sum = self.tried = self.tried_sum = 0
        self.waiting = self.waiting_sum = self.table = self.table_sum = 0
        self.started = 0
        self.at = 0.0
        self.exits: Counter[str] = Counter()

    def add(self, at: float, micros: int, depth: Depth, waiting: int, started: int, ended_by: str) -> None:
        """A pass began at `at` with so many `waiting` jobs and started so many."""
        self.at, self.last, self.longest = at, micros, max(self.longest, micros)
        self.count += 1
        self.total += micros
        self.depth, self.tried, self.waiting, self.table = depth.looked, depth.tried, waiting, depth.reserved
        self.depth_sum += depth.looked
        self.tried_sum += depth.tried
        self.waiting_sum += waiting
        self.table_sum += depth.reserved
        self.started += started
        self.exits[ended_by] += 1


class Counters:
    """All of them since `began`, or since somebody reset them."""

    def __init__(self, cluster: Cluster, now: Callable[[], float]) -> None:
        self._cluster = cluster
        self._now = now
        self._backfilled_before = 0
        self._begin()

    def _begin(self) -> None:
        self.began = self._now()
        self.quick = Passes()
        self.full = Passes()
        self._submitted = self._started = 0
        self._ended = Counter(self._cluster.ends)
        self._requests: dict[str, _Tally] = {}
        self._users: dict[int, _Tally] = {}

    def reset(self) -> None:
        """Begin again at nothing."""
        self._backfilled_before += self.full.started
        self._begin()

    def noticed(self, event: Event | None) -> None:
        """An event holds."""
        if isinstance(event, Submitted):
            self._submitted += 1
        elif isinstance(event, Started):
            self._started += 1

    def asked(self, kind: type[m.Message], uid: int, seconds: float) -> None:
        """A request was answered in so many seconds."""
        micros = 0 if kind in WAITING else int(seconds * 1_000_000)
        self._requests.setdefault(kind.__name__, _Tally()).add(micros)
        self._users.setdefault(uid, _Tally()).add(micros)

    def read(self, *, orders: int, records: int, looking: bool) -> Statistics:
        """The counters as they are; `orders` wait for nodes, `records` for accounting, `looking`: a full pass is being made."""
        ended = Counter(self._cluster.ends)
        ended.subtract(self._ended)
        cluster = self._cluster
        failed = sum(count for state, count in ended.items() if state not in (JobState.COMPLETED, JobState.CANCELLED))
        running = [job for job in cluster.active.values() if job.state is JobState.RUNNING]
        return Statistics(
            cluster=cluster.settings.cluster_name, req_time=self._now(), req_time_start=self.began, agent_queue_size=orders,
            dbd_agent_queue_size=records, gettimeofday_latency=_latency(),
            jobs_submitted=self._submitted, jobs_started=self._started, jobs_completed=ended[JobState.COMPLETED],
            jobs_canceled=ended[JobState.CANCELLED], jobs_failed=failed, jobs_running=len(running), job_states_ts=self._now(),
            jobs_pending=len(cluster.pending) + sum(
                arrays.count(job.array_part.ranges) - 1 for array in cluster.arrays
                if (job := cluster.pending.get(array)) is not None and job.array_part is not None),
            schedule_cycle_last=self.quick.last, schedule_cycle_max=self.quick.longest, schedule_cycle_sum=self.quick.total,
            schedule_cycle_total=self.quick.count, schedule_cycle_depth=self.quick.depth_sum, schedule_queue_length=self.quick.waiting,
            schedule_exit=dict(self.quick.exits),
            bf_backfilled_jobs=self._backfilled_before + self.full.started, bf_last_backfilled_jobs=self.full.started,
            bf_cycle_counter=self.full.count, bf_cycle_last=self.full.last, bf_cycle_max=self.full.longest, bf_cycle_sum=self.full.total,
            bf_when_last_cycle=self.full.at, bf_active=looking, bf_last_depth=self.full.depth, bf_last_depth_try=self.full.tried,
            bf_depth_sum=self.full.depth_sum, bf_depth_try_sum=self.full.tried_sum, bf_queue_len=self.full.waiting,
            bf_queue_len_sum=self.full.waiting_sum, bf_table_size=self.full.table, bf_table_size_sum=self.full.table_sum,
            bf_exit=dict(self.full.exits),
            rpcs_by_message_type=[
                RequestCount(*NAMES.get(kind, (kind, 0)), count=tally.count, total_time=tally.micros) for kind,
                tally in self._requests.items()],
            rpcs_by_user=[UserCount(user_name(uid), Uid(uid), tally.count, tally.micros) for uid, tally in self._users.items()])


def _latency() -> int:
    """Microseconds that a thousand looks at the clock take."""
    began = time.perf_counter()
    for _ in range(_LATENCY_CALLS):
        time.time()
    return int((time.perf_counter() - began) * 1_000_000)
