"""Components: one command line and script, parted by `:` and `#SBATCH hetjob`, become the requests of a heterogeneous job's components.

What one component asks for holds for those after it as far as that is likely to be meant; the list is Slurm's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from slurm.options import directives
from slurm.options.errors import OptionError
from slurm.options.getopt import Given
from slurm.options.resolve import Line, Resolved, merged, split

MOST = 128
"""So many components a heterogeneous job may have, as in Slurm."""
_PACKJOB = 'the "packjob" component separator is being deprecated. Please, use "hetjob" instead.'


def split_all(command: str, argv: Sequence[str]) -> list[Line]:
    """Options and other words of each component of a command line, no value read yet. Only srun has programs before a colon."""
    parts: list[Line] = []
    given, rest = split(command, argv)
    while (at := _colon(command, rest)) is not None:
        parts.append((given, rest[:at]))
        given, rest = split(command, rest[at + 1:])
    return [*parts, (given, rest)]


def _colon(command: str, rest: list[str]) -> int | None:
    if command != "srun":
        return 0 if rest[:1] == [":"] else None
    return rest.index(":") if ":" in rest[:-1] else None


def resolve_all(
    command: str, argv: Sequence[str], environ: Mapping[str, str], *,
    script: str | None = None, script_name: str = "script", now: float = 0.0,
) -> list[Resolved]:
    """What each component asks for; one for a job of its own. The first has the settings, notes and words of the command itself.

    Errors as of `resolve`.
    """
    lines = split_all(command, argv)
    if any(one.option.name in ("help", "usage", "version") for given, _ in lines for one in given):
        return [_informing(command, lines)]
    found = directives.read(script or "", script_name)
    count = max(len(lines), len(found.parts))
    if count > MOST:
        raise OptionError("Heterogeneous job has too many components", exit_code=1, hints=[f"at most {MOST}; {count} are asked for"])
    resolved = [
        merged(command, lines, environ, number, found=found, script_name=script_name, now=now)
        for number in range(count)]
    first = resolved[0]
    if command != "srun":
        first.rest = lines[-1][1]
    for other in resolved[1:]:
        first.notes += [note for note in other.notes if note not in first.notes]
        for key, value in other.settings.items():
            first.settings.setdefault(key, value)
    if found.packjob:
        first.notes.append(_PACKJOB)
    return resolved


def resolve_parts(command: str, lines: Sequence[Line], wanted: Sequence[tuple[int, Mapping[str, str]]], *, now: float) -> list[Resolved]:
    """What is asked for one after the other: of which component of the command line, and with which environment.

    As `resolve_all` otherwise.
    """
    if any(one.option.name in ("help", "usage", "version") for given, _ in lines for one in given):
        return [_informing(command, lines)] * len(wanted)
    found = directives.Directives()
    return [merged(command, lines, environ, number, found=found, script_name="", now=now) for number, environ in wanted]


def _informing(command: str, lines: Sequence[Line]) -> Resolved:
    resolved = Resolved(command, [])
    one: Given = next(one for given, _ in lines for one in given if one.option.name in ("help", "usage", "version"))
    resolved.settings[one.option.key] = True
    return resolved
