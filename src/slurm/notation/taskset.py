"""Sets of array task ids, kept as arithmetic runs so that 100,000 tasks cost one tuple. The `%limit` lives in `array`."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import pairwise
from math import gcd

from slurm.notation.errors import NotationError

MAX_TASK_ID = 4_000_000
MOST_CROSSING = 20_000
"""So many ids may lie in ranges with steps that cross each other: those are listed one by one."""
_VALID = 'task ids such as "1-20", "0-15:4" or "1,3,5-7"'
_STEP_FROM = 6
"""So many evenly spaced ids are shown with their step, one more where the step is 2 (seen on Slurm 22.05)."""
_TOO_LONG = 10
"""Digits of a number that is no task id."""
_RANGE = re.compile(r"([0-9]{1,9})-([0-9]{1,9})(?::([0-9]{1,9}))?")
_RANGES = re.compile(r"(?:[0-9]{1,9}-[0-9]{1,9}(?::[0-9]{1,9})?)?(?:,(?:[0-9]{1,9}-[0-9]{1,9}(?::[0-9]{1,9})?)?)*")
_Run = tuple[int, int, int]


class TaskSet:
    """A set of task ids in rising order, as runs (first, last, step) that do not overlap; changed in place."""

    __slots__ = ("_runs", "_size")

    def __init__(self, runs: Iterable[_Run] = ()) -> None:
        self._runs: list[_Run] = _disjoint([_tidy(*run) for run in runs])
        self._size = sum(map(_length, self._runs))

    @classmethod
    def of(cls, ids: Iterable[int]) -> "TaskSet":
        """The set of these ids; neighbours become one run."""
        made = cls()
        made._runs = _runs_of(sorted(set(ids)))
        made._size = sum(map(_length, made._runs))
        return made

    @classmethod
    def parse(cls, text: str, max_id: int = MAX_TASK_ID) -> "TaskSet":
        """Reads "1,3,5-7" and "0-15:4", commas too much passed over; NotationError for anything else, for backward ranges and ids above
        `max_id`."""
        made = cls()
        made._runs = _disjoint(_runs_in(text, max_id) or _runs_one_by_one(text, max_id))
        made._size = sum(map(_length, made._runs))
        return made

    @property
    def runs(self) -> tuple[_Run, ...]:
        """The runs (first, last, step), rising; `TaskSet(runs)` gives the set back."""
        return tuple(self._runs)

    @property
    def first(self) -> int:
        """The lowest id; ValueError when the set is empty."""
        if not self._runs:
            raise ValueError("an empty task set has no first task")
        return self._runs[0][0]

    @property
    def last(self) -> int:
        """The highest id; ValueError when the set is empty."""
        if not self._runs:
            raise ValueError("an empty task set has no last task")
        return self._runs[-1][1]

    @property
    def step(self) -> int:
        """The distance between neighbouring ids where it is the same everywhere, else 1."""
        return self._even_step() or 1

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[int]:
        for low, high, step in self._runs:
            yield from range(low, high + 1, step)

    def __contains__(self, task: int) -> bool:
        place = self._place(task)
        if place < 0:
            return False
        low, high, step = self._runs[place]
        return task <= high and (task - low) % step == 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TaskSet):
            return NotImplemented
        return self._size == other._size and all(a == b for a, b in zip(self.intervals(), other.intervals(), strict=False))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"TaskSet.parse({self.show()!r})" if self._size else "TaskSet()"

    def copy(self) -> "TaskSet":
        """An equal set that can be changed apart from this one."""
        made = TaskSet()
        made._runs = list(self._runs)
        made._size = self._size
        return made

    def intervals(self) -> Iterator[tuple[int, int]]:
        """The set as (first, last) of unbroken stretches, rising; the same for equal sets."""
        start = end = -2
        for low, high, step in self._runs:
            for first, last in [(low, high)] if step == 1 else ((task, task) for task in range(low, high + 1, step)):
                if first == end + 1:
                    end = last
                else:
                    if start >= 0:
                        yield start, end
                    start, end = first, last
        if start >= 0:
            yield start, end

    def pop_first(self) -> int:
        """Takes the lowest id out and returns it; ValueError when the set is empty."""
        task = self.first
        low, high, step = self._runs[0]
        if low == high:
            del self._runs[0]
        else:
            self._runs[0] = _tidy(low + step, high, step)
        self._size -= 1
        return task

    def add(self, task: int) -> None:
        """Puts one id in; nothing changes when it is there already."""
        if task in self:
            return
        place = self._place(task)
        self._size += 1
        if place >= 0 and task < self._runs[place][1]:
            low, high, step = self._runs[place]
            below = low + (task - low) // step * step
            self._runs[place : place + 1] = [_tidy(low, below, step), (task, task, 1), _tidy(below + step, high, step)]
            return
        self._runs.insert(place + 1, (task, task, 1))
        self._join(place + 1)
        self._join(place)

    def remove(self, tasks: "int | Iterable[int]") -> None:
        """Takes ids out; ids that are not in the set are passed over. A TaskSet is removed run by run, without listing it."""
        if isinstance(tasks, TaskSet):
            for low, high in tasks.intervals():
                self._remove_interval(low, high)
            return
        for task in [tasks] if isinstance(tasks, int) else tasks:
            if task in self:
                self._remove_interval(task, task)

    def intersection(self, other: "TaskSet") -> "TaskSet":
        """A new set of the ids that are in both."""
        both = TaskSet()
        mine, others = iter(self._runs), iter(other._runs)
        run, another = next(mine, None), next(others, None)
        while run is not None and another is not None:
            if (common := _in_both(run, another)) is not None:
                both._runs.append(common)
                both._size += _length(common)
            if run[1] < another[1]:
                run = next(mine, None)
            else:
                another = next(others, None)
        return both

    def show(self, max_length: int = 0) -> str:
        """The set as Slurm shows it: "3-200", "1,3,5-7", many evenly spaced ids as "0-998:2", a few as "0,4,8,12".

        With `max_length` > 0 (SLURM_BITSTR_LEN) a text of that length or more is cut below it and ends in "...".
        """
        step = self._even_step()
        if step > 1 and self._size >= (_STEP_FROM if step > 2 else _STEP_FROM + 1):
            return f"{self.first}-{self.last}:{step}"
        pieces = []
        length = 0
        for low, high in self.intervals():
            piece = str(low) if low == high else f"{low}-{high}"
            pieces.append(piece)
            length += len(piece) + 1
            if 0 < max_length < length:
                return ",".join(pieces)[: max(max_length - 4, 0)] + "..."
        return ",".join(pieces)

    def _place(self, task: int) -> int:
        """Index of the last run that starts at or below `task`; -1 where there is none."""
        return bisect_right(self._runs, (task, MAX_TASK_ID + 1, 0)) - 1

    def _join(self, place: int) -> None:
        """Makes one run of the runs at `place` and `place + 1` where both are unbroken and touch."""
        if not 0 <= place < len(self._runs) - 1:
            return
        (low, high, step), (next_low, next_high, next_step) = self._runs[place : place + 2]
        if step == next_step == 1 and next_low == high + 1:
            self._runs[place : place + 2] = [(low, next_high, 1)]

    def _remove_interval(self, low: int, high: int) -> None:
        start = max(self._place(low), 0)
        stop = start
        kept: list[_Run] = []
        while stop < len(self._runs) and self._runs[stop][0] <= high:
            run_low, run_high, step = self._runs[stop]
            if run_low < low:
                kept.append(_tidy(run_low, min(run_high, low - 1), step))
            if run_high > high:
                above = run_low + max(-(-(high + 1 - run_low) // step), 0) * step
                kept.append(_tidy(above, run_high, step))
            stop += 1
        self._size += sum(map(_length, kept)) - sum(map(_length, self._runs[start:stop]))
        self._runs[start:stop] = kept

    def _even_step(self) -> int:
        """The common distance of at least two ids, 1 included; 0 where there is none."""
        if self._size < 2:
            return 0
        if len(self._runs) == 1:
            return self._runs[0][2]
        steps = set()
        before = -1
        for low, high, step in self._runs:
            if before >= 0:
                steps.add(low - before)
            if low != high:
                steps.add(step)
            if len(steps) > 1:
                return 0
            before = high
        return steps.pop()


def _tidy(low: int, high: int, step: int) -> _Run:
    """The same ids with the last one exact, and step 1 for a single id."""
    last = low + (high - low) // step * step
    return (low, last, step if last > low else 1)


def _length(run: _Run) -> int:
    return (run[1] - run[0]) // run[2] + 1


def _in_both(one: _Run, other: _Run) -> _Run | None:
    """The ids that two runs share, which are evenly spaced too; None where there are none."""
    (low, high, step), (other_low, other_high, other_step) = one, other
    shared = gcd(step, other_step)
    apart, odd = divmod(other_low - low, shared)
    if odd:
        return None
    # The first id of `one` that `other` would have if it had no ends; then the first that lies within both.
    first = low + step * (apart * pow(step // shared, -1, other_step // shared) % (other_step // shared))
    distance = step // shared * other_step
    begin = max(low, other_low)
    first += -(-(begin - first) // distance) * distance
    last = min(high, other_high)
    return _tidy(first, last, distance) if first <= last else None


def _disjoint(runs: list[_Run]) -> list[_Run]:
    """Runs sorted so that none starts before the one below it ends; only runs that cross are listed id by id.

    NotationError when those are too many.
    """
    runs.sort()
    if all(run[1] < after[0] for run, after in pairwise(runs)):
        return runs
    listed = 0
    result: list[_Run] = []
    crossing: list[_Run] = []
    end = -1
    for run in runs:
        if crossing and run[0] > end:
            merged, more = _merge(crossing, listed)
            result += merged
            listed += more
            crossing = []
        crossing.append(run)
        end = max(end, run[1])
    return result + _merge(crossing, listed)[0]


def _merge(crossing: list[_Run], listed: int) -> tuple[list[_Run], int]:
    """Runs that cross as runs that do not, and how many ids were listed for that; `listed` before."""
    if len(crossing) <= 1:
        return crossing, 0
    if all(step == 1 for _, _, step in crossing):
        return [(crossing[0][0], max(high for _, high, _ in crossing), 1)], 0
    ids = sum(map(_length, crossing))
    if listed + ids > MOST_CROSSING:
        raise NotationError(f"ranges with steps that cross each other hold more than {MOST_CROSSING:,} task ids",
            valid="ranges that do not cross")
    return _runs_of(sorted({task for low, high, step in crossing for task in range(low, high + 1, step)})), ids


def _runs_of(ids: list[int]) -> list[_Run]:
    runs: list[_Run] = []
    for task in ids:
        if runs and task == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], task, 1)
        else:
            runs.append((task, task, 1))
    return runs


def _runs_in(text: str, max_id: int) -> list[_Run]:
    """The runs of a text, thousands in a moment; none where something is odd, that `_runs_one_by_one` can tell."""
    pieces = dict.fromkeys(text.split(","))
    single = {int(piece) for piece in pieces if piece.isdigit() and len(piece) < _TOO_LONG} if text.isascii() else set()
    ranges = ",".join([piece for piece in pieces if len(piece) >= _TOO_LONG or not piece.isdigit()])
    if not _RANGES.fullmatch(ranges):
        return []
    runs: list[_Run] = []
    highest = max(single, default=0)
    for low_text, high_text, step_text in _RANGE.findall(ranges):
        low, high, step = int(low_text), int(high_text), int(step_text or 1)
        if high < low or not step:
            return []
        runs.append((low, high, 1) if step == 1 else _tidy(low, high, step))
        highest = high if high > highest else highest
    return [] if highest > max_id else [*runs, *_runs_of(sorted(single))]


def _runs_one_by_one(text: str, max_id: int) -> list[_Run]:
    """The same, blanks passed over; NotationError that names the place of what is none. A piece that came before is not read again."""
    runs: dict[str, _Run] = {}
    place = 0
    nothing = not text.strip(" ,")
    for piece in text.split(","):
        if piece not in runs and (nothing or piece.strip()):
            runs[piece] = _parse_run(text, place, piece, max_id)
        place += len(piece) + 1
    return list(runs.values())


def _parse_run(text: str, place: int, piece: str, max_id: int) -> _Run:
    span, colon, step_text = piece.strip().partition(":")
    low_text, dash, high_text = span.partition("-")
    numbers = [low_text, high_text if dash else low_text, step_text if colon else "1"]
    if (colon and not dash) or not all(number.isascii() and number.isdigit() and len(number) < _TOO_LONG for number in numbers):
        raise NotationError(f'"{piece}" is no task id or range', text=text, position=place, valid=_VALID)
    low, high, step = map(int, numbers)
    if high < low:
        raise NotationError(f'range "{piece}" runs backwards', text=text, position=place, valid=f'"{high}-{low}"')
    if step == 0:
        raise NotationError("a step of 0", text=text, position=place, valid="a step of 1 or more")
    if high > max_id:
        raise NotationError(f"task id {high} is too high", text=text, position=place, valid=f"ids from 0 to {max_id}")
    return _tidy(low, high, step)
