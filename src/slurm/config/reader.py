"""The one reader of configuration files: text to records of keys and values that remember where they stand.

Lives here: comments, continuation lines, Include, quoting, which section a line belongs to, and unknown keys. Not here: what a
value means (`values`), what lines together say (`config`, `nodes`, `partitions`, `gres`). Source: slurm.conf(5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from slurm.config.schema import Row, Section, section
from slurm.model.errors import ConfigError

MAX_DEPTH = 16
"""How deep Include may nest before it is taken for a circle."""
MAX_FILES = 1_000
"""How many files one configuration may include, each counted as often as it is."""
MAX_PROBLEMS = 200
"""A file that has so many is read no further: what it says is refused anyway."""
_LONGEST = 500
"""Characters of a line that are shown where it is wrong."""

LINES = ("NodeName", "PartitionName", "NodeSet", "DownNodes", "FrontendName")
"""Keys of slurm.conf that make a line of their own; they must come first on it."""

Opener = Callable[[str], tuple[str, str]]
"""The name written behind Include → (its full name, its text); raises OSError."""


class Origin:
    """Where something is written: file, line (from 1; 0 for the whole file) and the line's text."""

    __slots__ = ("file", "line", "text")

    def __init__(self, file: str, line: int, text: str) -> None:
        self.file = file
        self.line = line
        self.text = text

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Entry:
    """One key and its value as written, without its quotes."""

    __slots__ = ("origin", "row", "text")

    def __init__(self, row: Row, text: str, origin: Origin) -> None:
        self.row = row
        self.text = text
        self.origin = origin


class Record:
    """The entries of one logical line, and the section that its first key belongs to."""

    __slots__ = ("entries", "origin", "section")

    def __init__(self, section: str, entries: list[Entry], origin: Origin) -> None:
        self.section = section
        self.entries = entries
        self.origin = origin

    def get(self, name: str) -> str | None:
        """The text of this key on the line (the last one where it is repeated), or None."""
        found = None
        for entry in self.entries:
            if entry.row.name == name:
                found = entry.text
        return found


class Problem:
    """One thing that is wrong in a file: where, what, and what would be right."""

    __slots__ = ("hint", "message", "origin")

    def __init__(self, origin: Origin, message: str, hint: str = "") -> None:
        self.origin = origin
        self.message = message
        self.hint = hint

    def lines(self) -> list[str]:
        """The problem as lines: place and sentence, the line as written, the hint."""
        message = _shortened(self.message)
        shown = [f"{self.origin}: {message}"] if self.origin.line else [f"{self.origin.file}: {message}"]
        if self.origin.text:
            shown.append(f"    {_shortened(self.origin.text)}")
        if self.hint:
            shown.append(f"  {self.hint}")
        return shown


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"


def error_of(problems: list[Problem]) -> ConfigError:
    """All problems as one ConfigError, each once and in the order of their lines: its message is the first problem's line, its hints are
    the rest."""
    files = list(dict.fromkeys(problem.origin.file for problem in problems))
    in_order = sorted({tuple(problem.lines()): problem for problem in problems}.values(),
        key=lambda problem: (problem.origin.line == 0, files.index(problem.origin.file), problem.origin.line))
    first, *rest = [line for problem in in_order[:MAX_PROBLEMS] for line in problem.lines()]
    if len(in_order) > MAX_PROBLEMS:
        rest.append(f"and {len(in_order) - MAX_PROBLEMS:,} more")
    return ConfigError(message=first, hints=rest)


def read(
    text: str, file: str, kind: str, problems: list[Problem], opener: Opener | None = None, *, keys_only: bool = False,
) -> list[Record]:
    """The records of a file of this kind ("slurm.conf", "gres.conf" …); what is wrong is added to `problems`.

    `opener` reads the files that Include names; without one Include is a problem. `keys_only` passes over LINES unread.
    """
    return list(_Reader(kind, problems, opener, keys_only).records(text, file, 0))


class _Reader:
    """One reading: the kind of file, what was wrong so far, and the cluster's name for %c in Include."""

    def __init__(self, kind: str, problems: list[Problem], opener: Opener | None, keys_only: bool) -> None:
        self.kind = kind
        self.keys_only = keys_only
        self.problems = problems
        self.opener = opener
        self.cluster = ""
        self.files = 0

    def records(self, text: str, file: str, depth: int) -> Iterator[Record]:
        for number, line in logical_lines(text):
            if len(self.problems) >= MAX_PROBLEMS:
                return
            origin = Origin(file, number, line)
            words = line.split(None, 1)
            if words[0].lower() == "include" and len(words) == 2 and not words[1].startswith("="):
                yield from self._include(words[1].strip('"'), origin, depth)
                continue
            record = self._record(line, origin)
            if record is not None:
                yield record

    def _include(self, name: str, origin: Origin, depth: int) -> Iterator[Record]:
        name = name.replace("%c", self.cluster)
        if self.opener is None:
            self.problems.append(Problem(origin, f"Include of {name} where no file can be read"))
        elif depth >= MAX_DEPTH:
            self.problems.append(Problem(origin, f"Include is nested more than {MAX_DEPTH} deep", "does a file include itself?"))
        elif self.files >= MAX_FILES:
            self.problems.append(Problem(origin, f"more than {MAX_FILES:,} files are included", "does a file include itself?"))
        else:
            self.files += 1
            try:
                path, text = self.opener(name)
            except (OSError, UnicodeDecodeError) as error:
                self.problems.append(Problem(origin, f"included file {name} cannot be read: {getattr(error, 'strerror', None) or error}"))
                return
            yield from self.records(text, path, depth + 1)

    def _record(self, line: str, origin: Origin) -> Record | None:
        first = line.split("=", 1)[0].strip().lower()
        name = next((kind for kind in LINES if kind.lower() == first), self.kind) if self.kind == "slurm.conf" else self.kind
        if self.keys_only and name != self.kind:
            return None
        rows = section(name)
        entries: list[Entry] = []
        for key, value, fault in pairs(line, rows):
            row = rows.get(key)
            if fault:
                self.problems.append(Problem(origin, fault))
                return None
            if len(self.problems) >= MAX_PROBLEMS:
                return None
            if row is None:
                self.problems.append(Problem(origin, f"Parsing error at unrecognized key: {key}", _nearest_key(key, rows)))
                continue
            if row.name == "ClusterName":
                self.cluster = value
            entries.append(Entry(row, value, origin))
        return Record(name, entries, origin) if entries else None


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """(number of its first line, text) of every line that says something: comments gone, continuations joined."""
    start, parts = 0, ""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw if "#" not in raw else _without_comment(raw)
        line = line.rstrip()
        if not parts:
            start = number
        if line.endswith("\\"):
            parts += line[:-1] + " "
            continue
        whole = (parts + line).strip()
        parts = ""
        if whole:
            yield start, whole
    if parts.strip():
        yield start, parts.strip()


def _without_comment(line: str) -> str:
    place = line.find("#")
    while place > 0 and line[place - 1] == "\\":
        line = line[: place - 1] + line[place:]
        place = line.find("#", place)
    return line if place < 0 else line[:place]


def pairs(line: str, rows: Section) -> Iterator[tuple[str, str, str]]:
    """(key, value, fault) of each KEY=VALUE of a line; a fault is a sentence, and the last thing of its line."""
    place, end = 0, len(line)
    while place < end:
        equals = line.find("=", place)
        key = line[place:equals].strip() if equals >= 0 else line[place:].strip()
        if equals < 0 or not key or len(key.split()) > 1:
            word = key.split()[0] if key else "="
            yield key, "", f'Parsing error at "{word}": KEY=VALUE expected'
            return
        place = equals + 1
        start = place
        while start < end and line[start].isspace():
            start += 1
        if start > place and (after := line.find("=", start)) >= 0 and rows.get(line[start:after].strip()) is not None:
            place = start
            yield key, "", ""
            continue
        place = start
        quoted = False
        while place < end and (quoted or not line[place].isspace()):
            quoted ^= line[place] == '"'
            place += 1
        value = line[start:place]
        if quoted:
            yield key, "", f'the quote that opens in {key}={value.split()[0]} is not closed (a "#" inside a value is written "\\#")'
            return
        if len(value) > 1 and value[0] == value[-1] == '"' and value.count('"') == 2:
            value = value[1:-1]
        yield key, value, ""
        while place < end and line[place].isspace():
            place += 1


def _nearest_key(key: str, rows: Section) -> str:
    from slurm.notation.nearest import nearest
    if rows.name == "slurm.conf":
        for kind in LINES:
            if section(kind).get(key) is not None:
                return f"{key} belongs on a line that begins with {kind}="
    names = {row.name.lower(): row.name for row in rows}
    found = nearest(key.lower(), list(names))
    if found is not None:
        return f"did you mean {names[found]}?"
    return ""
