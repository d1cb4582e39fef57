"""Host lists, `cn[01-03,07],gpu5`: read, count, show. Which hosts exist is not known here."""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby, product
from typing import NamedTuple

from slurm.notation.errors import NotationError

MAX_HOSTS = 1_000_000
_VALID = 'names and bracketed numbers such as "cn[01-03,07],gpu5"'
_SEPARATORS = ", \t\r\n"
_TRAILING_NUMBER = re.compile(r"^(.*?)([0-9]{1,18})$", re.DOTALL)
_DIGITS = re.compile(r"([0-9]+)")


class _Range(NamedTuple):
    low: int
    high: int
    width: int


class _Run(NamedTuple):
    prefix: str
    low: int
    high: int
    width: int


_Part = str | list[_Range]


def expand(text: str, most: int = MAX_HOSTS) -> list[str]:
    """The host names that a host list stands for, in its order, doubles kept.

    Commas, blanks and newlines separate; several brackets in a name multiply, the last one turning fastest. More than
    `most` hosts or a malformed bracket raise NotationError.
    """
    hosts: list[str] = []
    total = 0
    for start, item in _items(text):
        parts = _parts(text, start, item)
        total += _size(parts)
        if total > most:
            raise NotationError(f"more than {most} hosts", text=_short(text), valid="fewer hosts in one list")
        if len(parts) == 1 and isinstance(parts[0], str):
            hosts.append(item)
        else:
            hosts.extend(map("".join, product(*map(_choices, parts))))
    return hosts


def count(text: str) -> int:
    """How many hosts a host list stands for, without naming them; doubles count twice."""
    return sum(_size(_parts(text, start, item)) for start, item in _items(text))


def compress(hosts: Iterable[str], *, sort: bool = False) -> str:
    """The host list of these names, as `scontrol show hostlist` prints it.

    Order is kept and only neighbours are merged; with `sort` hosts are ordered by name, width and number, doubles kept, as
    `scontrol show hostlistsorted` does. Only the last number of a name goes into brackets; leading zeros are kept.
    """
    runs = _merged(map(_run_of, hosts))
    if sort:
        runs = _merged(sorted(runs, key=_run_order))
    shown: list[str] = []
    for prefix, members in groupby(runs, key=_run_group):
        shown.append(_show_group(prefix, list(members)))
    return ",".join(shown)


def sort_key(host: str) -> tuple[tuple[str | int, ...], str]:
    """A key that orders hosts as people do: text by letters, numbers by value (`cn2` before `cn10`)."""
    parts = _DIGITS.split(host)
    return tuple(int(part) if index % 2 else part for index, part in enumerate(parts)), host


def _items(text: str) -> Iterator[tuple[int, str]]:
    """Each element between separators outside brackets, with its place in the text."""
    start = 0
    opened = -1
    for index, char in enumerate(text):
        if char == "[":
            if opened >= 0:
                raise NotationError("bracket inside a bracket", text=_short(text), position=index, valid=_VALID)
            opened = index
        elif char == "]":
            if opened < 0:
                raise NotationError('"]" without "["', text=_short(text), position=index, valid=_VALID)
            opened = -1
        elif char in _SEPARATORS and opened < 0:
            if index > start:
                yield start, text[start:index]
            start = index + 1
    if opened >= 0:
        raise NotationError('"[" is never closed', text=_short(text), position=opened, valid=_VALID)
    if len(text) > start:
        yield start, text[start:]


def _parts(text: str, start: int, item: str) -> list[_Part]:
    """Literal pieces and bracket contents of one element, in order."""
    parts: list[_Part] = []
    place = 0
    while (opening := item.find("[", place)) >= 0:
        if opening > place:
            parts.append(item[place:opening])
        closing = item.index("]", opening)
        parts.append(_ranges(text, start + opening + 1, item[opening + 1 : closing]))
        place = closing + 1
    if place < len(item):
        parts.append(item[place:])
    return parts


def _ranges(text: str, start: int, inside: str) -> list[_Range]:
    ranges = []
    place = start
    for piece in inside.split(","):
        low, dash, high = piece.strip().partition("-")
        if not _is_number(low) or (dash and not _is_number(high)):
            raise NotationError(f'"{piece}" is no number or range', text=_short(text), position=place, valid=_VALID)
        top = int(high) if dash else int(low)
        if top < int(low):
            raise NotationError(f'range "{piece}" runs backwards', text=_short(text), position=place, valid=f'"{high}-{low}"')
        ranges.append(_Range(int(low), top, len(low)))
        place += len(piece) + 1
    return ranges


def _is_number(text: str) -> bool:
    return 0 < len(text) <= 18 and text.isascii() and text.isdigit()


def _size(parts: list[_Part]) -> int:
    size = 1
    for part in parts:
        if not isinstance(part, str):
            size *= sum(high - low + 1 for low, high, _ in part)
    return size


def _choices(part: _Part) -> list[str]:
    if isinstance(part, str):
        return [part]
    return [f"{number:0{width}d}" for low, high, width in part for number in range(low, high + 1)]


def _run_of(name: str) -> _Run:
    match = _TRAILING_NUMBER.match(name)
    if match is None:
        return _Run(name, 0, 0, 0)
    number = int(match[2])
    return _Run(match[1], number, number, len(match[2]))


def _merged(runs: Iterable[_Run]) -> list[_Run]:
    """Runs with each that goes on where the one before ends joined to it."""
    merged: list[_Run] = []
    for run in runs:
        if merged and _continues(merged[-1], run):
            prefix, low, _, width = merged[-1]
            merged[-1] = _Run(prefix, low, run.high, width)
        else:
            merged.append(run)
    return merged


def _continues(before: _Run, after: _Run) -> bool:
    """Whether counting on from `before` writes `after`, its zeros included."""
    if before.prefix != after.prefix or after.low != before.high + 1 or not before.width:
        return False
    return before.width == after.width or f"{after.low:0{before.width}d}" == f"{after.low:0{after.width}d}"


def _run_order(run: _Run) -> tuple[str, int, int]:
    return run.prefix, run.width, run.low


def _run_group(run: _Run) -> str:
    """Runs of one group share a bracket; a NUL keeps a name without a number apart from its namesakes with one."""
    return run.prefix if run.width else run.prefix + "\0"


def _show_group(prefix: str, runs: list[_Run]) -> str:
    if not runs[0].width:
        return ",".join(run.prefix for run in runs)
    shown = ",".join(_show_run(run) for run in runs)
    return f"{prefix}[{shown}]" if len(runs) > 1 or runs[0].high > runs[0].low else prefix + shown


def _show_run(run: _Run) -> str:
    low = f"{run.low:0{run.width}d}"
    return low if run.low == run.high else f"{low}-{run.high:0{run.width}d}"


def _short(text: str) -> str:
    return text if len(text) <= 200 else text[:197] + "..."
