"""The data set of the examples: what a scheduler knows when a job is submitted, and how long the job then ran."""

import csv
import gzip
import heapq
import itertools
import math
from collections import defaultdict, deque
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEATURES = (
    "requested time",
    "processors",
    "hour of day, sine",
    "hour of day, cosine",
    "weekend",
    "last run",
    "run before it",
    "last run of an equal request",
    "last run over its request",
    "jobs finished before",
    "since the last submission",
    "newcomer",
)
TRAIN, VALIDATION = 0.70, 0.85


class Part(NamedTuple):
    """One stretch of time: features (jobs × FEATURES), log10 of the run times, and two simple forecasts to beat, in seconds."""

    features: Floats
    target: Floats
    requested: Floats
    recent: Floats


class Dataset(NamedTuple):
    """Jobs in order of submission, cut by time: the model never sees the future."""

    train: Part
    validation: Part
    test: Part


class History:
    """What is known of one user at some moment: only jobs that had ended by then count."""

    def __init__(self) -> None:
        self._running: list[tuple[int, int, tuple[int, int]]] = []
        self._recent: deque[int] = deque(maxlen=2)
        self._equal: dict[tuple[int, int], int] = {}
        self._ratio = 1.0
        self._finished = 0
        self._submitted: int | None = None

    def at(self, now: int, requested: int, processors: int) -> tuple[float, ...]:
        """The features that depend on the user's past, at a submission; times in seconds."""
        while self._running and self._running[0][0] <= now:
            _, run, request = heapq.heappop(self._running)
            self._recent.append(run)
            self._equal[request] = run
            self._ratio = min(run / request[0], 2.0)
            self._finished += 1
        last = self._recent[-1] if self._recent else requested
        before = self._recent[0] if self._recent else requested
        equal = self._equal.get((requested, processors), last)
        since = now - self._submitted if self._submitted is not None else 7 * 86400
        self._submitted = now
        return last, before, equal, self._ratio, self._finished, since, float(not self._recent)

    def started(self, end: int, run: int, requested: int, processors: int) -> None:
        """Notes a job that will be known once it has ended."""
        heapq.heappush(self._running, (end, run, (requested, processors)))


def load(path: Path) -> Dataset:
    """Reads the job log and cuts it into 70 % training, 15 % validation and 15 % test, by time."""
    features, target, requests, recent = [], [], [], []
    users: dict[str, History] = defaultdict(History)
    with gzip.open(path, "rt", newline="") as stream:
        for row in csv.DictReader(stream):
            submit, wait, run = int(row["submit"]), int(row["wait"]), int(row["run"])
            requested, processors = int(row["requested"]), int(row["processors"])
            user = users[row["user"]]
            last, before, equal, ratio, finished, since, newcomer = user.at(submit, requested, processors)
            user.started(submit + wait + run, run, requested, processors)
            hour = 2 * math.pi * ((submit + 14 * 3600) % 86400) / 86400
            features.append(
                (
                    *(math.log10(max(value, 1)) for value in (requested, processors)),
                    *(math.sin(hour), math.cos(hour), float((submit // 86400) % 7 in (5, 6))),
                    *(math.log10(max(value, 1)) for value in (last, before, equal)),
                    *(ratio, math.log10(1 + finished), math.log10(1 + since), newcomer),
                )
            )
            target.append(math.log10(run))
            requests.append(requested)
            recent.append(min((last + before) / 2, requested))
    columns = tuple(np.asarray(column, dtype=np.float64) for column in (features, target, requests, recent))
    cuts = [0, round(TRAIN * len(target)), round(VALIDATION * len(target)), len(target)]
    parts = [Part(*(column[start:stop] for column in columns)) for start, stop in itertools.pairwise(cuts)]
    return Dataset(*parts)


def error_factor(forecast: Floats, target: Floats) -> float:
    """How many times too long or too short a forecast is, as the geometric mean over jobs; both in log10 of seconds."""
    return float(10 ** np.mean(np.abs(forecast - target)))
