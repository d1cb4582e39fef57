"""Attempts: jobs that ended badly are submitted again, in the same folder and under the same key, so that whatever refers to their results
stays right.

The client does it, by the tracker's thread, for as long as its program runs. What a task raises is tried again in its job (`retry`), not
here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from slurm.notation import duration, size
from slurm.sdk.calls.dependencies import jobs_in
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.calls.pickling import Promise
from slurm.sdk.calls.raised import read_error
from slurm.sdk.errors import SdkError, SubmissionError
from slurm.sdk.following.inspection import queue
from slurm.sdk.following.retry import Retry
from slurm.sdk.following.status import Status
from slurm.sdk.following.tracker import LATER, Home

Texts = dict[str, str | None]
MEMORY = ("mem", "mem_per_cpu", "mem_per_gpu")


class Tries(NamedTuple):
    """What one job has behind it: further attempts in all, and those after it ran out of memory and of time."""

    number: int = 0
    memory: int = 0
    time: int = 0


class Submission(NamedTuple):
    """What was submitted: its files, its options without the dependency on the jobs it `awaits`, which `depend` adds as far as they have
    not ended.

    `submit(options, elements, number, mark)` hands in elements (none: a job that is no array) as further attempt `number`; `mark` tells its
    script from others. `base` is the number of element 0, `ranks` whether it has several tasks.
    """

    files: JobFiles
    options: Mapping[str, str | None]
    awaits: Sequence[Promise]
    depend: Callable[[Texts], None]
    submit: Callable[[Texts, Sequence[int], int, str], str]
    base: int = 0
    ranks: bool = False


class Attempts:
    """The guard of the jobs of one submission: `ids`, by the numbers of their elements (None: the job itself)."""

    def __init__(self, cluster: Home, policy: Retry | None, made: Submission, ids: Mapping[str, int | None]) -> None:
        self._cluster = cluster
        self._policy = policy
        self._made = made
        self._elements = dict(ids)
        self._tries: dict[str, Tries] = {}
        self._submitted = 0
        self._awaited = {key: _ids(made.awaits) for key in ids}

    @staticmethod
    def needed(cluster: Home, policy: Retry | None, awaits: Sequence[Promise]) -> bool:
        """Whether jobs may have to be submitted again: by their own wish, or because those they wait for may be."""
        return policy is not None or any(cluster.tracker.guarded(job.id) for job in jobs_in(awaits))

    def again(self, ended: Mapping[str, Status]) -> Mapping[str, str]:
        """Submit those of these jobs again that may be, each kind in one array."""
        decided: dict[str, str] = {}
        kinds: dict[tuple[Tries, str], list[str]] = {}
        for key, status in ended.items():
            if status.state == "CANCELLED":
                verdict = self._dependent(key, status)
                if verdict is LATER:
                    decided[key] = LATER
                elif verdict is not None:
                    kinds.setdefault((self._tries.get(key, Tries()), ""), []).append(key)
            elif self._wanted(key, status):
                kinds.setdefault((self._next(key, status), status.state), []).append(key)
        for (tries, state), keys in kinds.items():
            try:
                decided.update(self._submit(tries, keys, state))
            except SdkError as error:
                for key in keys:
                    self._cluster.tracker.note(key, "it was to be submitted again, but: "
                                                    f"{error.message if isinstance(error, SubmissionError) else error}")
        return decided

    def _wanted(self, key: str, status: Status) -> bool:
        policy = self._policy
        if policy is None or self._tries.get(key, Tries()).number >= policy.times:
            return False
        if status.state != "FAILED":
            return status.state in policy.states
        files = self._files(key)
        try:
            with self._cluster.backend.read(files.error) as file:
                raised, _ = read_error(file, key, files.error)
        except FileNotFoundError:
            return "FAILED" in policy.states  # it ended without raising
        except (SdkError, OSError):
            return False  # what it raised cannot be told, so neither whether it was meant
        # A single task has tried in its job already.
        return self._made.ranks and isinstance(raised, policy.errors)

    def _dependent(self, key: str, status: Status) -> str | None:
        """None: it was cancelled for good; LATER; or anything else: what it waited for is tried again."""
        tracker = self._cluster.tracker
        reason = status.reason or self._cluster.backend.states([tracker.current(key)])[tracker.current(key)].reason
        if not reason.startswith("Dependency"):
            return None
        jobs = jobs_in(self._made.awaits)
        known = tracker.known(job.id for job in jobs)
        if any(one.finished and not one.successful for one in known.values()):
            return None
        if _ids(self._made.awaits) != self._awaited[key]:
            return key
        # The cluster has seen a job fail of whose end no news has come yet.
        return LATER if any(tracker.guarded(job.id) for job in jobs) else None

    def _next(self, key: str, status: Status) -> Tries:
        had = self._tries.get(key, Tries())
        return Tries(had.number + 1, had.memory + (status.state == "OUT_OF_MEMORY"), had.time + (status.state == "TIMEOUT"))

    def _submit(self, tries: Tries, keys: list[str], state: str) -> dict[str, str]:
        options: Texts = {**self._made.options, "open_mode": "append"}
        if self._policy is not None and state:
            options.pop("begin", None)  # of the first attempt: it has passed
            if pause := math.ceil(self._policy.pause(tries.number)):
                options["begin"] = f"now+{pause}"
            self._grow(options, tries, keys[0])
        self._made.depend(options)
        awaited = _ids(self._made.awaits)
        numbers = sorted(number for key in keys if (number := self._elements[key]) is not None)
        self._submitted += 1
        job = self._made.submit(options, numbers, tries.number, f".again{self._submitted}")
        new = {key: job if (number := self._elements[key]) is None else f"{job}_{number}" for key in keys}
        for key in keys:
            self._tries[key], self._awaited[key] = tries, awaited
        return new

    def _grow(self, options: Texts, tries: Tries, key: str) -> None:
        """Ask for more of what there was too little of, from what the first attempt had."""
        assert self._policy is not None
        memory, time = self._policy.memory ** tries.memory, self._policy.time ** tries.time
        if memory > 1:
            name = next((name for name in MEMORY if options.get(name)), "mem")
            had = size.parse_mb(options.get(name) or self._had(key)[0])
            if had:  # 0 is all that the node has: there is no more
                options[name] = f"{math.ceil(had * memory)}M"
        if time > 1:
            seconds = duration.parse(options.get("time") or self._had(key)[1])
            if seconds > 0:
                options["time"] = duration.show_clock(math.ceil(seconds * time))

    def _had(self, key: str) -> tuple[str, str]:
        """The memory and time that the cluster gave to the first attempt where the task did not say; "0" where it has forgotten that."""
        said = queue(self._cluster.backend.ask, ids=[key], states=["all"])
        return (said[0].memory or "0", said[0].limit or "0") if said else ("0", "0")

    def _files(self, key: str) -> JobFiles:
        number = self._elements[key]
        return self._made.files if number is None else self._made.files.element(self._made.base + number)



def _ids(promises: Sequence[Promise]) -> list[str]:
    return [job.id for job in jobs_in(promises)]
