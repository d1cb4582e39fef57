"""One form for every option there is: of the Slurm commands (tables), of the daemons and of `slurm` (their parsers)."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

from slurm.commands import slurm as subcommands
from slurm.options import option as options
from slurm.options import tables
from slurm.sackd import __main__ as sackd
from slurm.slurmctld import __main__ as slurmctld
from slurm.slurmd import __main__ as slurmd
from slurm.slurmdbd import __main__ as slurmdbd
from slurm.slurmrestd import __main__ as slurmrestd

PARSERS = {"slurmctld": slurmctld.parser, "slurmdbd": slurmdbd.parser, "slurmrestd": slurmrestd.parser, "sackd": sackd.parser}
DAEMONS = ("slurmctld", "slurmd", "slurmdbd", "slurmrestd", "sackd")
_USAGE_LINE = re.compile(r'^  (?P<names>-\S(?:, --\w+)?|--\w+)(?P<argument> (?:"[^"]*"|\S+))? +(?P<help>\S.*)$')


class Flag(NamedTuple):
    """One option: its names, the shorter first, what it takes, and what becomes of it.

    `metavar` "" takes nothing; `optional`: what it takes may be left out, and stands behind `=`. `choices` are the words that its argument
    may be, where they are few. `missing`: the sentence with which it is refused. `note`: why it changes nothing, or only hints.
    """

    names: tuple[str, ...]
    help: str
    metavar: str = ""
    optional: bool = False
    choices: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    update: str = ""
    note: str = ""
    missing: str = ""
    plugin: str = ""

    @property
    def key(self) -> str:
        """The longest name without its dashes: "partition"."""
        return self.names[-1].lstrip("-")


@cache
def of_command(command: str) -> tuple[Flag, ...]:
    """The options of a Slurm command, in the order of its table; KeyError for one without a table."""
    return tuple(_of_row(command, row) for row in tables.rows(command))


def _of_row(command: str, row: options.Option) -> Flag:
    missing = row.status in (options.REFUSED, options.DECLINED)
    metavar = (row.metavar or "TEXT") if row.allows_argument else ""
    return Flag(
        (*((f"-{row.short}",) if row.short else ()), f"--{row.name}"), row.help, metavar, row.optional is not None, _words_of(metavar),
        tuple(row.variables(command)), row.update, "" if missing else row.note, row.note if missing else "", row.plugin)


def _words_of(metavar: str) -> tuple[str, ...]:
    """The words that a metavar such as "yes|no" lists; none where one of them stands for something."""
    words = metavar.split("|")
    return tuple(words) if len(words) > 1 and all(re.fullmatch(r"[a-z0-9_+-]+", word) for word in words) else ()


@cache
def of_daemon(name: str) -> tuple[Flag, ...]:
    """The options of a daemon, from its own parser or, of slurmd, from the text of its --help."""
    return tuple(_of_usage(slurmd.USAGE)) if name == "slurmd" else of_parser(PARSERS[name]())


def _of_usage(text: str) -> Iterator[Flag]:
    for line in text.splitlines():
        found = _USAGE_LINE.match(line)
        if found:
            argument = (found["argument"] or "").strip().strip('"')
            yield Flag(tuple(found["names"].split(", ")), found["help"], argument)


def of_parser(parser: argparse.ArgumentParser) -> tuple[Flag, ...]:
    """The options that a parser shows in its help."""
    found = []
    for action in parser._actions:
        if not action.option_strings or action.help == argparse.SUPPRESS:
            continue
        takes = action.nargs != 0
        metavar = action.metavar if isinstance(action.metavar, str) else ""
        choices = tuple(map(str, action.choices)) if action.choices and takes else ()
        names = tuple(sorted(action.option_strings, key=len))
        found.append(Flag(names, (action.help or "").replace("%%", "%"), (metavar or "|".join(choices) or action.dest.upper()) if takes
            else "",
            action.nargs == "?", choices))
    return tuple(found)


class Subcommand(NamedTuple):
    """One word of `slurm` with its options, what stands behind them, and the words that it has itself."""

    name: str
    text: str
    flags: tuple[Flag, ...]
    operands: tuple[tuple[str, str], ...]
    below: tuple[Subcommand, ...]


@cache
def of_slurm() -> tuple[Subcommand, ...]:
    """Every subcommand of `slurm`, in the order of their table."""
    return _below(subcommands.parser(), subcommands.SUBCOMMANDS)


def _below(parser: argparse.ArgumentParser, rows: Mapping[str, subcommands.Row]) -> tuple[Subcommand, ...]:
    held = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    found = []
    for name, row in rows.items():
        one = held.choices[name]
        if isinstance(one, subcommands.LazyParser) and one.fill is not None:
            fill, one.fill = one.fill, None
            fill(one)
        operands = tuple(
            (_operand(action), action.help or "") for action in one._actions
            if not action.option_strings and not isinstance(action, argparse._SubParsersAction))
        found.append(Subcommand(name, row.text, of_parser(one), operands, _below(one, row.rows) if row.rows else ()))
    return tuple(found)


def _operand(action: argparse.Action) -> str:
    name = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    return {"?": f"[{name}]", "*": f"[{name}...]", "+": f"{name}..."}.get(str(action.nargs), name)
