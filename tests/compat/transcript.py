"""Reads recorded sessions of a real Slurm: who typed what, and everything that was printed. No comparison with ours lives here.

They were recorded on one host with four slurmd: cn[01-03] with 2 sockets of 8 cores, 64 GB, features intel,ib and weight 1; cn04 with
128 GB, gpu:a100:2, features amd,ib,gpu and weight 10. Partitions debug (default, all nodes, limit 1 h, default 10 min), batch (cn[01-03],
7 days), gpu (cn04, 3 days). Users root, alice (account research) and bob (account students).
"""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

GOLDENS = Path(__file__).resolve().parent / "goldens"

_PROMPT = re.compile(r"\[(?P<user>[a-z]+)\]\$ (?P<command>.*)")
_EXIT = re.compile(r"\(exit (?P<status>\d+|TIMEOUT)\)")
_STDERR = "(stderr) "
_HEREDOC = re.compile(r"<<\s*'?(?P<end>\w+)'?")

_MASKS = (
    (re.compile(r"\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?"), "<moment>"),
    (re.compile(r"\b(Submitted batch job|job allocation|[Jj]ob|JobId=) ?\d+"), r"\1 <id>"),
)


class Entry(NamedTuple):
    """One command as it was typed and its answer; status None means that it was left waiting and killed."""

    source: str
    line: int
    user: str
    command: str
    stdout: tuple[str, ...]
    stderr: tuple[str, ...]
    status: int | None

    @property
    def program(self) -> str:
        """The first word of the command."""
        return self.command.split(maxsplit=1)[0]

    @property
    def where(self) -> str:
        """File and line, for messages and test ids."""
        return f"{self.source}:{self.line}"


@cache
def transcript(name: str) -> tuple[Entry, ...]:
    """All entries of goldens/NAME.txt, in order."""
    text = (GOLDENS / f"{name}.txt").read_text(encoding="utf-8")
    return tuple(parse(name, text))


@cache
def all_transcripts() -> tuple[Entry, ...]:
    """All entries of all goldens."""
    return tuple(entry for path in sorted(GOLDENS.glob("*.txt")) for entry in transcript(path.stem))


def find(name: str, command: str) -> Entry:
    """The entry of a transcript with exactly this command; where it was typed twice, the first. Raises KeyError."""
    for entry in transcript(name):
        if entry.command == command:
            return entry
    raise KeyError(f"nobody typed {command!r} in goldens/{name}.txt")


def masked(lines: Iterable[str]) -> tuple[str, ...]:
    """Lines with moments and job ids replaced by <moment> and <id>, for comparing two sessions."""
    found = []
    for line in lines:
        for pattern, word in _MASKS:
            line = pattern.sub(word, line)
        found.append(line)
    return tuple(found)


def parse(source: str, text: str) -> list[Entry]:
    """Entries of a recorded session; raises ValueError for text before the first prompt."""
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if _PROMPT.fullmatch(line)]
    if any(line.strip() for line in lines[: starts[0] if starts else len(lines)]):
        raise ValueError(f"{source}: text before the first [user]$ prompt")
    return [_entry(source, start, lines[start:stop]) for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True)]


def _entry(source: str, start: int, lines: list[str]) -> Entry:
    prompt = _PROMPT.fullmatch(lines[0])
    assert prompt is not None
    command, answer = _whole_command(prompt["command"], lines[1:])
    # One blank line parts entries; blank lines before it were printed.
    if answer and not answer[-1]:
        answer = answer[:-1]
    status: int | None = 0
    if answer and (end := _EXIT.fullmatch(answer[-1])):
        status = None if end["status"] == "TIMEOUT" else int(end["status"])
        answer = answer[:-1]
    stderr = tuple(line.removeprefix(_STDERR) for line in answer if line.startswith(_STDERR))
    stdout = tuple(line for line in answer if not line.startswith(_STDERR))
    return Entry(source, start + 1, prompt["user"], command, stdout, stderr, status)


def _whole_command(first: str, rest: list[str]) -> tuple[str, list[str]]:
    """A here-document goes on to its end word, and the line after it is the command that uses it."""
    document = _HEREDOC.search(first)
    if document is None:
        return first, rest
    end = rest.index(document["end"]) + 2
    return "\n".join([first, *rest[:end]]), rest[end:]
