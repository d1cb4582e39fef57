"""plan: a snapshot in, proposals out. Which pending jobs can start now, why the others cannot, when they are expected to.

Jobs are looked at in order of priority. The first of a partition that finds no room gets a reservation: the earliest time at which
it fits, judging by the time limits of what runs. Those behind it may start only if that does not delay it (EASY backfill).
A quick pass makes no reservations: it closes the nodes of a blocked partition to all that come later.
Nothing is changed here; each proposal is checked again when it is applied.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from itertools import islice

from slurm.core import arrays, components
from slurm.core.events import Start
from slurm.core.gates import array_limit, policy_limits
from slurm.core.gates import stack as gates
from slurm.core.policy import exemptions
from slurm.model.ids import JobId
from slurm.model.job import Allocation, Job
from slurm.model.partition import Partition
from slurm.model.refusal import Refusal
from slurm.model.states import Reason
from slurm.sched import priority, sight, together
from slurm.sched.asking import in_minutes, patient, queue_of
from slurm.sched.backfill import Backfill
from slurm.sched.board import Usage
from slurm.sched.completing import Completing
from slurm.sched.filters import partition_limits
from slurm.sched.lengths import length
from slurm.sched.license_pools import LicensePools
from slurm.sched.making_room import MakingRoom, Turns
from slurm.sched.need import Need, Needs
from slurm.sched.proposal import Forecast, Plan, Proposal
from slurm.sched.queue import Queue
from slurm.sched.quotas import Quotas
from slurm.sched.reserved import OUTSIDE, Entry, entries
from slurm.sched.search import MANY_NODES, Field, Search
from slurm.sched.sharing import Sharing
from slurm.sched.space import Space
from slurm.sched.terrain import Terrain
from slurm.sched.together import Trial, Way
from slurm.sched.verdicts import PRIORITY, first_blocked, too_large, unavailable
from slurm.sched.view import View

needs = Needs()
"""Requests boiled down, remembered between passes."""
FORECASTS = 100
"""For how many waiting jobs a full pass tells a start time; a tenth of it on clusters of a thousand nodes and more."""
MOST_KEPT = 1000
"""For how many jobs of a partition their start is kept where bf_job_part_count_reserve=0 says for all."""
LOOKS = 16
"""After so many jobs a pass looks at the clock."""


class Pass:
    """One pass over the queue, of a terrain that is right for the present. `carried_out` has it look."""

    def __init__(self, view: View, now: float, backfill: bool, terrain: Terrain) -> None:
        self.view = view
        self.settings = view.settings
        self.now = now
        self.terrain = terrain
        self.space = Space(view.nodes)
        self.sharing = Sharing(view)
        self.plan = Plan()
        self.backfill = backfill
        self.blocked: set[str] = set()
        # by partition and reservation, or licence, for how many jobs their start is kept
        self.kept: defaultdict[str, int] = defaultdict(int)
        self.most_starts = view.settings.backfill_max_starts if backfill else view.settings.sched_max_starts
        self.sight = sight.clear(view, backfill=backfill)  # whether many jobs need no closer look
        self.free_cpus: int | None = None  # on all nodes together, counted when first asked after a proposal
        self.quotas = Quotas(view.settings, backfill=backfill)
        self.completing = Completing(view, now)
        self.licenses = LicensePools(view, now, backfill=backfill)
        # by array, how many of its tasks this pass has proposed, in whatever partition or reservation
        self.begun: defaultdict[JobId, int] = defaultdict(int)
        self.full: set[str] = set()  # partitions and reservations in which somebody waits
        self.behind: list[list[Way]] = []
        self.unfit: dict[tuple[Need, str, int, tuple[str, ...]], float] = {}
        large = len(view.nodes) >= 1000
        self.counts = backfill or len(view.nodes) > MANY_NODES  # whether the board is kept right while this pass proposes
        self.forecasts = FORECASTS // 10 if large else FORECASTS
        self.room = MakingRoom(view, now, terrain, self.space, counts=self.counts, writes=self.counts and not backfill, field=self._field)
        self.ahead = Backfill(view, now, terrain, self.plan, self.licenses, self.room)
        if backfill and large:
            self.ahead.begin()

    def consider_safely(self, job: Job, without: Container[JobId]) -> None:
        """As `consider`; what fails in it is written down, and that job waits."""
        if job.id in without:
            return
        self.plan.depth.looked += 1
        try:
            if self.sight and job.promise is None and self._has_to_wait(job):
                return
            self.consider(job)
        except Exception as error:  # noqa: BLE001 - told by whoever asked for the plan
            self.plan.faults[job.id] = repr(error)

    def _has_to_wait(self, job: Job) -> bool:
        """Whether a job surely has to wait, which then is written down as `consider` would."""
        numbers = sight.numbers(self.terrain, needs, job)
        need, view = numbers.need, self.view
        if need is None or not gates.eligible(job) or (job.array_job and view.array_limit(job.array_job)):
            return False
        if job.partition not in self.blocked:
            if not self.backfill or numbers.cpus <= self._free_cpus() or not sight.fits(self.terrain, job, numbers):
                return False
            self.plan.depth.tried += 1
            self.plan.verdicts[job.id] = self._wait(job, need, view.partitions[job.partition], OUTSIDE, behind=False)
            return True
        if not self.backfill:
            self.plan.verdicts[job.id] = PRIORITY
            return True
        if self.kept[job.partition] < (view.settings.backfill_reservations or MOST_KEPT):
            return False
        if numbers.cpus <= self._free_cpus() and self.ahead.leaves(numbers.cpus, self.now + numbers.seconds):
            return False
        self.plan.depth.tried += 1
        if len(self.behind) < self.forecasts:
            self.behind.append([Way(job, need, view.partitions[job.partition], OUTSIDE)])
        self.plan.verdicts[job.id] = PRIORITY
        return True

    def consider(self, job: Job) -> None:
        """Propose the job, or as many of its tasks as fit, or write down why not."""
        if job.promise is not None:
            return  # it was looked at first
        if job.het:
            if components.speaks(self.view.pending, job):
                self._consider_together(job)
            return
        refusal: Refusal | None = None
        for partition in self._partitions(job):
            for entry in entries(self.terrain, job, self.now) or (OUTSIDE,):
                need = entry.seen(patient(needs.of(job.request, self.view.settings, partition), job, self.view.settings, self.now))
                one = (self._gate(job, partition) or partition_limits.refuse(job, need, partition, self.terrain.cpus)
                       or self.quotas.refuse(job, partition) or self._start_in(job, need, partition, entry))
                if one is None:
                    return
                if self.backfill and one.reason == Reason.LICENSES and not partition_limits.refuse(job, need, partition, self.terrain.cpus):
                    self._await_licenses(job, need, partition, entry)
                elif one.reason == Reason.LICENSES:
                    self.licenses.close(need)
            refusal = refusal or one
        self.plan.verdicts[job.id] = refusal or Refusal(Reason.PARTITION_DOWN, f"partition {job.partition} does not exist", (),
            ("Configured",))

    def _consider_promised(self) -> None:
        """Those for which others gave way start as soon as these are gone."""
        for job in self.view.promised.values():
            assert job.promise is not None
            partition = self.view.partitions.get(job.promise.allocation.partition)
            found = self.room.kept(job, self._gate(job, partition) if partition is not None else None)
            if isinstance(found, Proposal):
                self.plan.proposals.append(found)
            else:
                self.plan.verdicts[job.id] = found

    def _make_room(self, job: Job, need: Need, partition: Partition, entry: Entry) -> Refusal | None:
        """Have others give way to a job before which nobody waits; None when nobody can."""
        settings = self.view.settings
        if settings.preempt_type == "none" or self._is_behind(partition, entry) or self.ahead.keeps_starts:
            return None
        begun, task = self.begun[job.id], None
        if job.array_part is not None:
            left = array_limit.tasks_left(self.view, job)
            coming = sum(one.array_job == job.array_job for one in self.view.promised.values())
            task = next(islice(arrays.tasks(job.array_part.ranges), begun, None), None)
            if task is None or (left is not None and begun + coming >= left):
                return None
        licenses = self.licenses.choose(need, self.now + length(job))
        return self.room.make(job, task, need, partition, entry, dict(licenses)) if licenses is not None else None

    def _gate(self, job: Job, partition: Partition) -> Refusal | None:
        if self.completing.refusal is not None and job.promise is None:
            return self.completing.refusal
        refusal = gates.refuse(self.view, job, partition, self.now)
        if refusal is not None and self.view.settings.assoc_limit_stop and policy_limits.closed(self.view, job, partition, self.now):
            self.quotas.stop(partition)
        return refusal

    def _partitions(self, job: Job) -> list[Partition]:
        """The partitions a job may start in, the highest tier first."""
        partitions = self.view.partitions
        if "," not in job.partition:
            only = partitions.get(job.partition)
            return [exemptions.as_met(self.view, job.request.qos, only)] if only is not None else []
        found = [exemptions.as_met(self.view, job.request.qos, partitions[name]) for name in job.partition.split(",") if name in partitions]
        return sorted(found, key=lambda partition: -partition.priority_tier)

    def _start_in(self, job: Job, need: Need, partition: Partition, entry: Entry) -> Refusal | None:
        """None when the job, or all it may start of it, was proposed."""
        if not self.backfill and self._is_behind(partition, entry):
            return PRIORITY
        self.plan.depth.tried += 1
        shortest = job.request.time_min if self.backfill else None
        seconds = length(job) if shortest is None else min(length(job), float(shortest))
        if self._too_few(need, partition) or (self.unfit and seconds >= self.unfit.get(
                (need, partition.name, job.owner.uid, entry.key), seconds + 1)):
            return self._no_room(job, need, partition, entry)
        self.ahead.settle()
        search = Search(self._field(entry), job, need, partition)
        licenses: Mapping[str, int] | None = {}
        tasks: Iterable[int | None] = islice(arrays.tasks(job.array_part.ranges), self.begun[job.id],
            None) if job.array_part is not None else (None,)
        left = array_limit.tasks_left(self.view, job)
        for begun, task in enumerate(tasks, self.begun[job.id]):
            if left is not None and begun >= left:
                return array_limit.refusal(self.view, job, partition, self.now, starting=begun)
            if need.pools and (licenses := self.licenses.choose(need, search.ends)) is None:
                return self.licenses.refusal(need)
            allocation = search.find()
            if allocation is None and seconds < length(job):
                search, allocation = self._shortened(job, need, partition, entry, seconds)
            if allocation is None:
                self.unfit[need, partition.name, job.owner.uid, entry.key] = seconds
                return self._no_room(job, need, partition, entry)
            allocation.reservation, allocation.reservation_id = entry.reservation, entry.number
            if licenses:
                allocation.licenses = dict(licenses)
            over = policy_limits.exceeded(self.view, job, partition, self.now, allocation)
            if over is not None:
                return over
            self._propose(job, task, allocation, search)
        return None

    def _shortened(self, job: Job, need: Need, partition: Partition, entry: Entry, least: float) -> tuple[Search, Allocation | None]:
        """Room for a job that may be cut to `least` seconds, for as long as what is kept for others lets it."""
        timeline, now = self.ahead.timeline, self.now
        ends = [now + least]
        if timeline is not None:
            ends += [moment for moment in timeline.downs if ends[0] < moment < now + length(job)]
        low, high = 0, len(ends)  # what is free for longer is free for shorter
        search = Search(self._field(entry), job, need, partition, ends=ends[0])
        allocation: Allocation | None = None
        while low < high:
            middle = (low + high) // 2
            one = Search(self._field(entry), job, need, partition, ends=ends[middle])
            found = one.find() if self.licenses.choose(need, one.ends) is not None else None
            if found is None:
                high = middle
            else:
                search, allocation, low = one, found, middle + 1
        return search, allocation

    def _too_few(self, need: Need, partition: Partition) -> bool:
        """Whether even all CPUs that are free anywhere do not make up the job; where they have to be counted, asked once somebody waits."""
        if not (self.blocked or self.counts) or partition.oversubscribe != "NO":
            return False
        return need.total_cpus > self._free_cpus()

    def _free_cpus(self) -> int:
        if self.free_cpus is None:
            self.free_cpus = self.terrain.board.free_cpus if self.counts else self.space.free_cpus
        return self.free_cpus

    def _is_behind(self, partition: Partition, entry: Entry) -> bool:
        """Whether a job waits already that comes first: of those in a reservation of its own nodes one of the same, else one of the
        partition."""
        return queue_of(partition, entry) in self.full if entry.kept_apart else partition.name in self.blocked

    def _field(self, entry: Entry, beside: tuple[Usage, ...] = ()) -> Field:
        closed: frozenset[str] = frozenset() if self.backfill or entry.kept_apart else frozenset(self.blocked)
        return Field(self.terrain, self.space, self.sharing, closed, self.ahead.timeline, self.now, entry, beside)

    def _propose(self, job: Job, task: int | None, allocation: Allocation, search: Search) -> None:
        self._take(job, allocation, search)
        self.begun[job.id] += task is not None
        seconds = int(search.ends - self.now)
        shorter = job.request.time_min is not None and (job.time_limit < 0 or seconds < job.time_limit)
        self.plan.proposals.append(Proposal(job=job.id, task=task, allocation=allocation,
            time_limit=in_minutes(seconds, job) if shorter else None))

    def _take(self, job: Job, allocation: Allocation, search: Search) -> None:
        """What is proposed is not free any more."""
        self.space.take(allocation.shares, job.owner.uid, own_user=search.need.own_user)
        if search.per_cpu > 1:
            self.sharing.take(allocation)
        if self.counts:
            usage = self.terrain.board.usage(allocation.shares)
            self.terrain.board.now.take(usage)
            if (timeline := self.ahead.timeline) is not None:
                timeline.take(usage, search.ends, inside=timeline.owner(allocation.reservation))
        self.licenses.pools.take(allocation.licenses, search.ends)
        self.free_cpus = None
        policy_limits.propose(self.view, job, allocation)

    # --- the components of a heterogeneous job ---------------------------------------------------------------------------

    def _consider_together(self, job: Job) -> None:
        """Propose all components, or none and write down why."""
        self.ahead.settle()
        jobs = [job, *components.beside(self.view.jobs, job)]
        late = next((one for one in jobs if one.id not in self.view.pending), None)
        if late is not None:
            self.plan.verdicts.update(together.cleaning([one for one in jobs if one.id in self.view.pending], late))
            return
        refusals: dict[JobId, Refusal] = {}
        ways: dict[JobId, Way] = {}
        with Trial(self.terrain, self.space, self.sharing, self.licenses) as trial:
            for one in sorted(jobs, key=self._choice):
                why = self._try(one, trial, ways)
                if why is not None:
                    refusals[one.id] = why
        if not refusals:
            self._propose_together(jobs, trial)
            return
        self.plan.verdicts.update(together.verdicts(jobs, refusals))
        if len(ways) == len(jobs) and all(why.reason in together.WAITED_FOR for why in refusals.values()):
            self._hold_together([ways[one.id] for one in sorted(jobs, key=self._choice)])

    def _choice(self, job: Job) -> tuple[int, int]:
        """Those that have the fewest nodes to choose from look first: what they could have is not taken by others."""
        settings = self.view.settings
        return sum(
            len(self.terrain.usable(partition, needs.of(job.request, settings, partition).site))
            for partition in self._partitions(job)), job.id

    def _try(self, job: Job, trial: Trial, ways: dict[JobId, Way]) -> Refusal | None:
        """Take room for a component, and note a way in which it may start now or later; or why there is none."""
        self.plan.depth.tried += 1
        refusal: Refusal | None = None
        for partition in self._partitions(job):
            for entry in entries(self.terrain, job, self.now) or (OUTSIDE,):
                need = entry.seen(needs.of(job.request, self.view.settings, partition))
                one = (self._gate(job, partition) or partition_limits.refuse(job, need, partition, self.terrain.cpus)
                       or self.quotas.refuse(job, partition))
                if one is None or one.reason in together.WAITED_FOR:
                    ways.setdefault(job.id, Way(job, need, partition, entry))
                if one is None:
                    one = self._find_beside(Way(job, need, partition, entry), trial)
                if one is None:
                    ways[job.id] = Way(job, need, partition, entry)
                    return None
                refusal = refusal or one
        return refusal or Refusal(Reason.PARTITION_DOWN, f"partition {job.partition} does not exist", (), ("Configured",))

    def _find_beside(self, way: Way, trial: Trial) -> Refusal | None:
        """None when there is room for a component beside those that found some before it."""
        job, need, partition, entry = way
        if not self.backfill and self._is_behind(partition, entry):
            return PRIORITY
        search = Search(self._field(entry, trial.beside), job, need, partition)
        licenses = self.licenses.choose(need, search.ends)
        if licenses is None:
            return self.licenses.refusal(need)
        allocation = search.find()
        if allocation is None:
            return (unavailable(self.terrain, need, partition) or too_large(self.terrain, need, partition)
                    or (PRIORITY if self._is_behind(partition, entry) else first_blocked(self.terrain, need, partition,
                    frozenset(self.blocked))))
        allocation.reservation, allocation.reservation_id = entry.reservation, entry.number
        allocation.licenses = dict(licenses)
        over = policy_limits.exceeded(self.view, job, partition, self.now, allocation)
        if over is None:
            trial.take(job, allocation, search)
        return over

    def _propose_together(self, jobs: Sequence[Job], trial: Trial) -> None:
        for one in jobs:
            self._take(one, *trial.found[one.id])
        parts = [Start(job=one.id, allocation=trial.found[one.id][0]) for one in jobs]
        self.plan.proposals.append(Proposal(job=parts[0].job, task=None, allocation=parts[0].allocation, components=parts[1:]))

    def _hold_together(self, ways: list[Way]) -> None:
        """Those that come later in any of its partitions wait behind it; with backfill it is promised the earliest moment for all
        components."""
        if not all(exemptions.reserves(self.view, way.job, way.partition, way.job.priority or priority.value(self.view, way.job, self.now))
                for way in ways):
            return
        queues = [queue_of(way.partition, way.entry) for way in ways]
        keeps = any(self._kept_for(way.job, which) for way, which in zip(ways, queues, strict=True))
        if self.backfill and not keeps:
            if len(self.behind) < self.forecasts:
                self.behind.append(ways)
            return
        for way, which in zip(ways, queues, strict=True):
            if way.entry.kept_apart:
                self.full.add(which)
            else:
                self.blocked.add(way.partition.name)
            if not self.backfill and way.need.pools:
                self.licenses.close(way.need)
        if self.backfill:
            for which in set(queues):
                self.kept[which] += 1
            self.ahead.reserve_together(ways)

    # --- who waits, and until when -----------------------------------------------------------------------------------------

    def _no_room(self, job: Job, need: Need, partition: Partition, entry: Entry) -> Refusal:
        refusal = unavailable(self.terrain, need, partition) or self._make_room(job, need, partition, entry)
        if refusal is not None:
            return refusal
        behind = self._is_behind(partition, entry)
        if behind and not self._kept_for(job, queue_of(partition, entry)):
            if self.backfill and len(self.behind) < self.forecasts:
                self.behind.append([Way(job, need, partition, entry)])
            return PRIORITY
        return too_large(self.terrain, need, partition) or self._wait(job, need, partition, entry, behind=behind)

    def _wait(self, job: Job, need: Need, partition: Partition, entry: Entry, *, behind: bool) -> Refusal:
        """It waits for room, and if it is among the first, others behind it."""
        refusal = PRIORITY if behind else first_blocked(self.terrain, need, partition, frozenset(self.blocked))
        if not exemptions.reserves(self.view, job, partition, job.priority or priority.value(self.view, job, self.now)):
            return refusal  # nobody waits behind it
        if not self.backfill or self._kept_for(job, queue_of(partition, entry)):
            if entry.kept_apart:
                self.full.add(queue_of(partition, entry))
            else:
                self.blocked.add(partition.name)
            if self.backfill:
                self._reserve(job, need, partition, entry, queue_of(partition, entry))
        elif len(self.behind) < self.forecasts:
            self.behind.append([Way(job, need, partition, entry)])
        return refusal

    def _kept_for(self, job: Job, which: str) -> bool:
        """Whether its start may not be put off by those behind it: of the first ones of a partition (or for a licence), once they are old
        and urgent enough."""
        settings = self.view.settings
        if not self.backfill or self.kept[which] >= (settings.backfill_reservations or MOST_KEPT):
            return False
        if settings.backfill_one_reservation and job.id in self.plan.forecasts:
            return False
        return job.priority >= settings.backfill_min_priority and self.now - (job.eligible_time
            or job.submit_time) >= settings.backfill_min_age

    def _reserve(self, job: Job, need: Need, partition: Partition, entry: Entry, which: str) -> None:
        """Promise a blocked job the earliest place there is in a partition; `which`: whose first ones such promises are made to."""
        self.kept[which] += 1
        self.ahead.reserve(Way(job, need, partition, entry))

    def _await_licenses(self, job: Job, need: Need, partition: Partition, entry: Entry) -> None:
        """Promise a job that waits for licences the earliest time at which it has those and a place; others may have its nodes until
        then."""
        which = "license:" + ",".join(sorted(name for name, _ in need.pools[0]))
        if self._kept_for(job, which):
            self._reserve(job, need, partition, entry, which)
        elif len(self.behind) < self.forecasts:
            self.behind.append([Way(job, need, partition, entry)])

    def go(self, queue: Queue, depth: int | None, forecasts: int | None, without: Container[JobId], over: Callable[[], bool]) -> None:
        """Look at the jobs of the queue in order."""
        view, now = self.view, self.now
        if forecasts is not None:
            self.forecasts = forecasts
        self._consider_promised()
        turns = Turns(view, now, self.room)
        if depth is None:
            self._consider_all(queue.order(view, now, self.plan.verdicts), without, over, turns)
        else:
            for looked, job in enumerate(queue.first(view, now)):
                if looked >= depth or self._cut_short(job, looked, over):
                    self.plan.ended_by = "default_queue_depth" if looked >= depth else self.plan.ended_by
                    break
                turns.before(job)
                self.consider_safely(job, without)
        turns.rest()
        if self.backfill:
            self.ahead.look(self.behind, over)
        self.plan.changes += self.room.changes
        self.plan.again = min(filter(None, (self.room.preemption.again, self.completing.until)), default=0.0)

    def go_on(self, now: float, jobs: Iterable[Job]) -> Plan:
        """Look at these too, a while after a pass that proposed nothing and looked at all others; what the others wait for is as it was."""
        self.plan = Plan(verdicts=self.plan.verdicts, everybody=True)
        self.now = self.licenses.now = self.room.now = now
        self.ahead.go_on(now, self.plan)
        try:
            for job in jobs:
                self.consider_safely(job, ())
        finally:
            self.leave()
        return self.plan

    def leave(self) -> None:
        """What was written on what is kept from pass to pass was a proposal."""
        self.view.policy.tally.withdraw()
        self.terrain.restore(share.node for proposal in self.plan.proposals for _,
            allocation in proposal.parts for share in allocation.shares)
        self.terrain.restore(self.room.written)

    def _consider_all(self, jobs: Iterable[Job], without: Container[JobId], over: Callable[[], bool], turns: Turns) -> None:
        """bf_max_job_test bounds how many that could start are looked at with backfill; those that may not start anyway cost little."""
        left = self.view.settings.backfill_max_jobs if self.backfill else len(self.view.pending)
        self.plan.everybody = True
        for looked, job in enumerate(jobs):
            if not gates.eligible(job):
                self.consider_safely(job, without)
                continue
            left -= 1
            if left < 0 or not self.plan.everybody or self._cut_short(job, looked, over):
                if self.plan.everybody and left < 0:
                    self.plan.ended_by = "bf_max_job_test"
                self.plan.everybody = False
                continue
            turns.before(job)
            self.consider_safely(job, without)

    def _cut_short(self, job: Job, looked: int, over: Callable[[], bool]) -> bool:
        """Whether the pass has started as many as it may, or taken as long: asked now and then, and for each heterogeneous job."""
        if self.most_starts and len(self.plan.proposals) >= self.most_starts:
            self.plan.ended_by = "bf_max_job_start" if self.backfill else "max_job_start"
            return True
        if (job.het or looked % LOOKS == LOOKS - 1) and over():
            self.plan.ended_by = "bf_max_time" if self.backfill else "max_sched_time"
            return True
        return False

def plan(view: View, now: float, *, depth: int | None = None, backfill: bool = True, queue: Queue | None = None,
         forecasts: int | None = None, terrain: Terrain | None = None,
         without: Container[JobId] = (), over: Callable[[], bool] = lambda: False) -> Plan:
    """One pass over the pending jobs, with backfill, or without up to the first that is blocked in its partition.

    With `depth` only the so many first eligible jobs; then `queue`, kept from pass to pass, saves sorting all of them again.
    `forecasts` bounds for how many jobs behind the first blocked ones a start is foretold. `terrain` of this view, kept from pass to pass,
    saves looking at all nodes again. Jobs of `without` are passed over; once `over` says so no further jobs are looked at. A job at whose
    sight planning fails keeps no other from being planned.
    """
    if terrain is None:
        terrain = Terrain(view)
    else:
        terrain.refresh()
    return carried_out(Pass(view, now, backfill, terrain), queue or Queue(), depth, forecasts, without, over)


def carried_out(
    work: Pass, queue: Queue, depth: int | None = None, forecasts: int | None = None, without: Container[JobId] = (),
    over: Callable[[], bool] = lambda: False,
) -> Plan:
    """What a pass finds, as `plan` says."""
    try:
        work.go(queue, depth, forecasts, without, over)
    finally:
        work.leave()
    work.plan.depth.reserved = work.ahead.kept
    return work.plan


def plan_one(terrain: Terrain, job: Job, now: float) -> Forecast | None:
    """When a job that is not queued could start, as if nobody waited before it; None when no time is in sight."""
    view = terrain.view
    work = Pass(view, now, True, terrain)
    for partition in work._partitions(job):
        for entry in entries(terrain, job, now):
            need = entry.seen(patient(needs.of(job.request, view.settings, partition), job, view.settings, now))
            licenses = work.licenses.choose(need, now + length(job))
            allocation = Search(work._field(entry), job, need, partition).find() if licenses is not None else None
            if allocation is not None:
                return Forecast(now, [str(name) for name in allocation.nodes], allocation)
            work._reserve(job, need, partition, entry, queue_of(partition, entry))
    return work.plan.forecasts.get(job.id)
