"""A crontab's text: its lines become entries, each with the words of its #SCRON lines. What the words mean is read as those of sbatch."""

from __future__ import annotations

from slurm.model.errors import NotationError
from slurm.notation import cron
from slurm.options.directives import words
from slurm.options.errors import OptionError

_OPTIONS = "#SCRON"
_FIRST = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
_NAME = _FIRST + "0123456789"


class Entry:
    """One entry: when, what, with which options of sbatch; from which line to which, counted from 1."""

    __slots__ = ("command", "first", "last", "options", "spec")

    def __init__(self, spec: str, command: str, options: list[str], first: int, last: int) -> None:
        self.spec = spec
        self.command = command
        self.options = options
        self.first = first
        self.last = last


def read(text: str) -> tuple[list[Entry], list[str]]:
    """The entries of a crontab, and what is wrong with it, a sentence each."""
    entries: list[Entry] = []
    wrong: list[str] = []
    variables: dict[str, str] = {}
    options: list[str] = []
    first = 0
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if stripped.startswith(_OPTIONS) and stripped[len(_OPTIONS):len(_OPTIONS) + 1] in ("", " ", "\t"):
            first = first or number
            try:
                options += words(stripped[len(_OPTIONS):], f"line {number}")
            except OptionError as error:
                wrong.append(error.message)
            continue
        if not stripped or stripped.startswith("#"):
            continue
        if (variable := _variable(stripped)) is not None:
            variables[variable[0]] = variable[1]
            continue
        try:
            spec, command = cron.split(stripped)
        except NotationError as error:
            wrong.append(f"line {number}: {error.message}")
        else:
            entries.append(Entry(spec, _expanded(command, variables), options, first or number, number))
        options, first = [], 0
    if options:
        wrong.append(f"line {first}: there is no entry behind these options")
    return entries, wrong


def _variable(line: str) -> tuple[str, str] | None:
    """Name and value of a line NAME=VALUE; quotes around the value do not belong to it."""
    name, equals, value = line.partition("=")
    name, value = name.strip(), value.strip()
    if not equals or not name or name[0] not in _FIRST or any(char not in _NAME for char in name):
        return None
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return name, value


def _expanded(command: str, variables: dict[str, str]) -> str:
    """The command with $NAME replaced where the crontab says what it is; others are left to the shell of the job. Source: scrontab(1)."""
    if "$" not in command:
        return command
    found: list[str] = []
    rest = command
    while "$" in rest:
        before, _, rest = rest.partition("$")
        end = 0
        while end < len(rest) and rest[end] in (_NAME if end else _FIRST):
            end += 1
        name, rest = rest[:end], rest[end:]
        found += [before, variables.get(name, f"${name}")]
    return "".join((*found, rest))
