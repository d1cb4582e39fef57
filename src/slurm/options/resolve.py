"""One command line, its environment and its script become one request. Values are read in `values`; nothing is looked up on disk.

Precedence: a script's #SBATCH lines, then the environment, then the command line.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from slurm.model.errors import SlurmError, Unsupported
from slurm.options import directives, getopt, tables, values
from slurm.options.errors import OptionError
from slurm.options.getopt import Given
from slurm.options.option import JOB_COMMANDS, REFUSED, STEP_FIELDS, STEP_ONLY, Option

_OFF = frozenset({"0", "no", "n", "false", "off"})
_NAMES_JOB_ONLY = frozenset({"SLURM_JOB_NAME"})
"""Variables that srun reads only outside a job: inside they tell of the job, not of the step."""

_ONE_OF: tuple[tuple[tuple[str, ...], str], ...] = (
    (("mem_per_node", "mem_per_cpu", "mem_per_gpu"), "--mem, --mem-per-cpu, and --mem-per-gpu are mutually exclusive."),
    (("gpus_per_task", "ntasks_per_gpu"), "--gpus-per-task is mutually exclusive with --ntasks-per-gpu and SLURM_NTASKS_PER_GPU"),
    (("gpus_per_socket", "ntasks_per_gpu"), "--gpus-per-socket is mutually exclusive with --ntasks-per-gpu and SLURM_NTASKS_PER_GPU"),
    (("cpus_per_task", "cpus_per_gpu"), "--cpus-per-task, --tres-per-task=cpu:#, and --cpus-per-gpu are mutually exclusive"),
    (("exclusive", "oversubscribe"), "--exclusive and --oversubscribe are mutually exclusive"),
)
"""Fields that one source may not set together, and what Slurm says when it does; a stronger source takes the others' place."""

_STEP_DEVICES = ("gres", "gpus", "gpus_per_node", "gpus_per_socket", "gpus_per_task")
"""What the variables of a job say of its devices does not count in a step that asks for some of its own, or for none."""


PROPAGATED = frozenset((
    "account", "acctg-freq", "begin", "chdir", "cluster-constraint", "clusters", "comment", "deadline", "delay-boot", "dependency",
    "distribution",
    "epilog", "error", "exclude", "export", "export-file", "get-user-env", "gid", "hold", "ignore-pbs", "immediate", "input", "job-name",
    "kill-on-bad-exit", "label", "mcs-label", "mem", "msg-timeout", "nice", "no-kill", "no-requeue", "open-mode", "output", "parsable",
    "priority",
    "profile", "prolog", "propagate", "pty", "qos", "quiet", "quit-on-interrupt", "reboot", "requeue", "reservation", "signal",
    "slurmd-debug",
    "task-epilog", "task-prolog", "test-only", "time", "time-min", "uid", "unbuffered", "verbose", "wait", "wait-all-nodes", "wckey"))
"""Options of one component of a heterogeneous job that hold for those after it too, until they say otherwise.

Source: Slurm's page on heterogeneous jobs.
"""


class Resolved:
    """What was asked for.

    `request` holds JobRequest fields, `step` StepRequest fields, `settings` what concerns the command itself, by option name with
    underscores; `rest` the words behind the options; `notes` lines for standard error; `origins` field or setting → who set it;
    `written` option → its text as given.
    """

    __slots__ = ("command", "notes", "origins", "request", "rest", "settings", "step", "written")

    def __init__(self, command: str, rest: list[str]) -> None:
        self.command = command
        self.rest = rest
        self.request: dict[str, object] = {}
        self.step: dict[str, object] = {}
        self.settings: dict[str, object] = {}
        self.notes: list[str] = []
        self.origins: dict[str, str] = {}
        self.written: dict[str, str] = {}

    def flag(self, key: str) -> bool:
        """Whether a setting was switched on."""
        return bool(self.settings.get(key))

    def text(self, key: str, default: str = "") -> str:
        """A setting that is text."""
        value = self.settings.get(key, default)
        return value if isinstance(value, str) else str(value)

    def number(self, key: str, default: int = 0) -> int:
        """A setting that is a number, such as how often -v was given."""
        value = self.settings.get(key, default)
        return value if isinstance(value, int) else default

    def texts(self, key: str) -> list[str]:
        """A setting that is a list; empty when it was not given."""
        value = self.settings.get(key, [])
        return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def split(command: str, argv: Sequence[str]) -> tuple[list[Given], list[str]]:
    """Options and other words of a command line, no value read yet; `argv` without the program's name."""
    return getopt.parse(argv, tables.rows(command), permute=command not in (*JOB_COMMANDS, "scontrol"))


def resolve(
    command: str,
    argv: Sequence[str],
    environ: Mapping[str, str],
    *,
    script: str | None = None,
    script_name: str = "script",
    now: float = 0.0,
) -> Resolved:
    """What a command line asks for, with its environment and the text of its script.

    `now` is seconds since the epoch, for --begin and the like. With --help, --usage or --version nothing else is read. UsageError,
    OptionError and Unsupported say what is wrong, and where it was written.
    """
    given, rest = split(command, argv)
    resolved = Resolved(command, rest)
    for one in given:
        if one.option.name in ("help", "usage", "version"):
            resolved.settings[one.option.key] = True
            return resolved
    if command in JOB_COMMANDS and ":" in (rest[:1] if command != "srun" else rest[:-1]):
        raise Unsupported(message='a heterogeneous job (" : ") is not supported here', hints=["submit it with sbatch"])
    found = directives.read(script or "", script_name)
    if len(found.parts) > 1:
        raise Unsupported(message="a heterogeneous job is not supported here",
            hints=[f"{script_name} has #SBATCH hetjob lines: submit it with sbatch"])
    return merged(command, [(given, rest)], environ, 0, found=found, script_name=script_name, now=now)


Line = tuple[list[Given], list[str]]
"""Options and other words of one component of a command line."""


def merged(
    command: str, lines: Sequence[Line], environ: Mapping[str, str], number: int, *, found: directives.Directives, script_name: str,
    now: float,
) -> Resolved:
    """What component `number` asks for: the script, then the environment, then the command line, each with what it says of the components
    before."""
    given, rest = lines[number] if number < len(lines) else ([], [])
    resolved = Resolved(command, rest)
    reading = values.Reading(now)
    for before in found.parts[:number]:
        _apply_script(resolved, before, script_name, reading, only=PROPAGATED)
    if number < len(found.parts):
        _apply_script(resolved, found.parts[number], script_name, reading)
    _apply_environment(resolved, environ, reading)
    if command == "srun" and "SLURM_JOB_ID" in environ and any(one.option.sets in _STEP_DEVICES for one in given):
        for field in _STEP_DEVICES:
            resolved.request.pop(field, None)
    for line, _ in lines[:number]:
        _apply(resolved, [(one, "command line", ()) for one in line if one.option.name in PROPAGATED], reading)
    _apply(resolved, [(one, "command line", ()) for one in given], reading)
    resolved.notes += [*reading.notes, *(f"--{name}: {why}" for name, why in reading.hints.items()),
        *_without_effect(resolved, found, script_name)]
    for field, value in resolved.request.items():
        if field in STEP_FIELDS:
            resolved.step[field] = value == "node" if field == "exclusive" else value
    for field in STEP_ONLY:
        resolved.request.pop(field, None)
    return resolved


_Sourced = tuple[Given, str, tuple[str, ...]]
"""An option, who gave it, and the hints that lead there when it is wrong."""


def _apply_script(
    resolved: Resolved, found: Sequence[directives.Directive], name: str, reading: values.Reading, only: Container[str] | None = None,
) -> None:
    """Reads #SBATCH lines; with `only` no other options than these count."""
    table = tables.rows(resolved.command)
    sourced: list[_Sourced] = []
    for directive in found:
        where = f"{name}: line {directive.line}: {directive.text}"
        try:
            given, rest = getopt.parse(directive.words, table)
        except SlurmError as error:
            error.hints = (where, *error.hints)
            raise
        if rest:
            message = f"Invalid directive found in batch script: {rest[0]}"
            raise OptionError(message, hints=[where, "options begin with - or --"])
        sourced += [(one, f"{name} line {directive.line}", (where,)) for one in given if only is None or one.option.name in only]
    _apply(resolved, sourced, reading)


def _without_effect(resolved: Resolved, found: directives.Directives, name: str) -> list[str]:
    """Warnings of directives that look as if they counted."""
    told = []
    if found.late:
        told.append(f"{name}: #SBATCH in line {', '.join(map(str, found.late))} comes after the first command and has no effect")
    if found.pbs and not resolved.flag("ignore_pbs"):
        told.append(f"{name}: #PBS in line {', '.join(map(str, found.pbs))} has no effect: only #SBATCH lines are read")
    return told


def _apply_environment(resolved: Resolved, environ: Mapping[str, str], reading: values.Reading) -> None:
    in_job = resolved.command == "srun" and "SLURM_JOB_ID" in environ
    sourced: list[_Sourced] = []
    for option in tables.rows(resolved.command):
        for name in option.variables(resolved.command):
            text = environ.get(name)
            if text is None or (in_job and name in _NAMES_JOB_ONLY):
                continue
            if option.name == "distribution" and text == "plane" and "SLURM_DIST_PLANESIZE" in environ:
                text += "=" + environ["SLURM_DIST_PLANESIZE"]
            if _says_something(option, text):
                where = f"the environment sets {name}={text}"
                sourced.append((Given(option, text, name), name, (where,)))
                break
    _apply(resolved, sourced, reading, from_environment=True)


def _says_something(option: Option, text: str) -> bool:
    if option.value == "flag":
        return text.lower() not in _OFF
    if option.value == "level":
        return text.isdigit() and int(text) > 0
    return bool(text) or option.optional is not None


def _apply(resolved: Resolved, sourced: list[_Sourced], reading: values.Reading, *, from_environment: bool = False) -> None:
    """Reads the options of one source and lets them take the place of what weaker sources set."""
    fields: dict[str, object] = {}
    texts: dict[str, str] = {}
    for one, source, hints in sourced:
        option = one.option
        if option.joined and one.text is not None:
            texts[option.name] = one.text = f"{texts[option.name]},{one.text}" if option.name in texts else one.text
        if option.status == REFUSED:
            raise Unsupported(message=f"--{option.name} is not supported by slurm-py yet: {option.note}", hints=hints)
        if option.value == "level" and not from_environment:
            resolved.settings[option.key] = resolved.number(option.key) + 1 if resolved.origins.get(option.key) == source else 1
            resolved.origins[option.key] = source
            resolved.written[option.name] = str(resolved.settings[option.key])
            continue
        try:
            found = values.read(option, one.text, reading)
        except SlurmError as error:
            error.hints = (*hints, *error.hints)
            raise
        if option.sets:
            fields.update(found)
        else:
            resolved.settings.update(found)
        resolved.written[option.name] = one.text if one.text is not None and option.value != "flag" else "set"
        for field in found:
            resolved.origins[field] = source
    _merge(resolved, fields, strict=not from_environment)


def _merge(resolved: Resolved, fields: dict[str, object], *, strict: bool) -> None:
    for group, message in _ONE_OF:
        new = [field for field in group if field in fields]
        if strict and len(new) > 1:
            raise OptionError(message, exit_code=1, fatal=True)
        if new:
            for field in group:
                if resolved.request.pop(field, None) is not None and field not in fields:
                    del resolved.origins[field]
    resolved.request.update(fields)
