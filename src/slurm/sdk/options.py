"""Keywords of @task become options of sbatch: checked by the one option table when the decorator runs, written as #SBATCH lines.

What the options mean stands in `slurm.options`; which of them the cluster carries out, the cluster says.
"""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from slurm.model.errors import SlurmError, Unsupported
from slurm.notation.nearest import nearest
from slurm.options import tables, values
from slurm.options.option import REFUSED, Option
from slurm.sdk.errors import InvalidOption

ALIASES = {"memory": "mem", "name": "job_name", "timeout": "time", "cpus": "cpus_per_task"}
"""Names that people write → the option they mean. The first two are those of the published SDK."""

NOT_FOR_TASKS = {
    "array": "call .map(items), which makes the array", "wrap": "a task is its own script", "wait": "call job.wait()",
    "parsable": "job.id is the number", "test_only": "submit to find out", "help": "see sbatch --help", "usage": "see sbatch --help",
    "version": "see slurm.__version__", "quiet": "it is about sbatch's own output", "verbose": "it is about sbatch's own output",
}
"""Options of sbatch that concern the command itself, and what to do instead."""

ELSEWHERE = {"walltime": "time", "queue": "partition", "project": "account", "cores": "cpus_per_task", "ncpus": "cpus_per_task",
    "email": "mail_user",
             "retry": "retries", "host": "hostname", "packaging": "default_packaging"}
"""Words of other systems, and of other places here → what is meant where that is known."""

TASKS = ("ntasks", "ntasks_per_node", "nodes")
"""Options that say how many tasks a job has."""

Texts = dict[str, str | None]
"""Options by name ("cpus_per_task") with their texts; None: a flag that is set."""


def rows() -> dict[str, Option]:
    """The options that a task may ask for, by keyword."""
    return {row.key: row for row in tables.rows("sbatch") if row.key not in NOT_FOR_TASKS}


def checked(keywords: Mapping[str, object], where: str, others: Iterable[str] = ()) -> Texts:
    """The options that these keywords stand for; InvalidOption names what is wrong and what is near. `where` begins the message.

    `others` are the words that mean something there without being options of sbatch.

    False and None leave an option out, but False says no where sbatch has a word for it (`requeue=False` is --no-requeue), and None sets
    one that needs no argument (`exclusive=None`, as the published SDK writes it).
    """
    known = rows()
    found: Texts = {}
    for word, value in keywords.items():
        key = _key(word)
        row = known.get(key)
        if row is None:
            raise InvalidOption(_unknown(word, key, (*known, *ALIASES, *others), where))
        if value is False and f"no_{key}" in known:
            found[f"no_{key}"] = None
            continue
        if value is False or (value is None and row.takes_argument):
            continue
        text = None if value is None or value is True else _text(word, value, where)
        if key in found and word != key:
            continue  # `memory` beside `mem`: the real name wins
        found[key] = _read(row, text, where)
    return found


def merged(base: Mapping[str, str | None], keywords: Mapping[str, object], where: str, others: Iterable[str] = ()) -> Texts:
    """`base` with these keywords over it; False or None takes an option away."""
    over = checked(keywords, where, others)
    taken = {_key(word) for word, value in keywords.items() if value is None or value is False}
    taken |= {f"no_{key}" for key in over} | {key.removeprefix("no_") for key in over}
    return {**{key: text for key, text in base.items() if key not in taken}, **over}


def directives(options: Mapping[str, str | None]) -> Iterable[str]:
    """The #SBATCH lines, quoted where a blank or a `#` would cut them."""
    for key, text in options.items():
        name = key.replace("_", "-")
        yield f"#SBATCH --{name}" if text is None else f"#SBATCH --{name}={shlex.quote(text) if _needs_quotes(text) else text}"


def several_tasks(asked: Mapping[str, str | None]) -> bool:
    """Whether the job has more than one task."""
    return any((asked.get(name) or "1").partition("-")[0] != "1" for name in TASKS)


def tasks(asked: Mapping[str, str | None]) -> int:
    """How many tasks the job has; 0 when it leaves that to the cluster, as `nodes="2-4"` does."""
    total, per_node, nodes = (asked.get(name) or "" for name in TASKS)
    counts = [total] if total else [per_node or "1", nodes or "1"]
    return math.prod(map(int, counts)) if all(count.isdigit() for count in counts) else 0


def _key(word: str) -> str:
    key = word.strip().lower().replace("-", "_")
    return ALIASES.get(key, key)


def _needs_quotes(text: str) -> bool:
    return not text or any(char in text for char in " \t#'\"\\")


def _as_controller(key: str, text: str) -> None:
    """Read what sbatch leaves to the controller to read; NotationError where no cluster would take it."""
    if key == "dependency":
        from slurm.notation import dependency  # few options are read by it

        if not any(kind in text for kind in dependency.REFUSED):
            dependency.parse(text)
    elif key == "constraint":
        from slurm.notation import features  # few options are read by it

        features.parse(text)


def _unknown(word: str, key: str, known: Sequence[str], where: str) -> str:
    if key in NOT_FOR_TASKS:
        return f"{where}: the option {word} is not for tasks: {NOT_FOR_TASKS[key]}"
    meant = ELSEWHERE[key] if ELSEWHERE.get(key) in known else nearest(key, known)
    return f"{where}: sbatch has no option {word}" + (f"; did you mean {meant}?" if meant else "; see sbatch --help for those it has")


def _text(word: str, value: object, where: str) -> str:
    if isinstance(value, timedelta):
        seconds = max(1, round(value.total_seconds()))
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%dT%H:%M:%S")
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(_text(word, one, where) for one in value)
    if isinstance(value, str | int | os.PathLike):
        text = os.fspath(value) if isinstance(value, os.PathLike) else str(value)
        if "\n" not in text and "\0" not in text:
            return text
    raise InvalidOption(f"{where}: {word}={value!r} is no value that an option of sbatch can have: give text, a number or a timedelta")


def _read(row: Option, text: str | None, where: str) -> str | None:
    """The text, once the option's own reader has taken it. What our cluster refuses may be fine on another: it is asked there."""
    if text is None and row.takes_argument:
        raise InvalidOption(f"{where}: {row.key} takes a value: {row.metavar}")
    if row.status == REFUSED:
        return text
    if not row.allows_argument and text is not None:
        raise InvalidOption(f"{where}: {row.key} takes True or False, not {text!r}")
    try:
        values.read(row, text if text is not None else row.optional, values.Reading(0.0))
        _as_controller(row.key, text or "")
    except Unsupported:
        return text
    except SlurmError as error:
        raise InvalidOption(f"{where}: {row.key}={text!r}: " + "; ".join(error.lines())) from error
    return text
