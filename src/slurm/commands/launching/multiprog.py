"""srun --multi-prog: a file that says which task runs which program. Text in, one argument list a task out; the file is read elsewhere.

    # ranks   program and arguments; %t is the task's number, %o its place within the line's ranks
    0         ./master --verbose
    1-3,7     ./worker %t %o
    *         ./idle            every task that no line above named
"""

from __future__ import annotations

from slurm.model.errors import InvalidRequest


def parse(text: str, ntasks: int, name: str) -> list[list[str]]:
    """The argument list of each rank below `ntasks`; InvalidRequest names line and fault."""
    programs: list[list[str] | None] = [None] * ntasks
    for number, line in _lines(text):
        ranks, words = _split(line, name, number)
        chosen = [rank for rank in range(ntasks) if programs[rank] is None] if ranks == "*" else _ranks(ranks, name, number)
        for place, rank in enumerate(chosen):
            if rank >= ntasks:
                raise _invalid(name, number, f"there are {ntasks} tasks, numbered from 0", f"Invalid task id, {rank} >= ntasks")
            if programs[rank] is not None:
                raise _invalid(name, number, f"task {rank} has a program already", f"Duplicate record for task {rank}")
            programs[rank] = [word.replace("%t", str(rank)).replace("%o", str(place)) for word in words]
    found = [program for program in programs if program is not None]
    if len(found) < ntasks:
        raise InvalidRequest(
            message=f"Configuration file {name} invalid, no record for task id {programs.index(None)}",
            hints=["a line that begins with * names the program of every task that has none"])
    return found


def _lines(text: str) -> list[tuple[int, str]]:
    """Lines that say something, with their numbers; a backslash at the end joins the next one."""
    lines = []
    held, start = "", 0
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        start = start if held else number
        if line.endswith("\\"):
            held += line[:-1] + " "
            continue
        whole = (held + line).strip()
        held = ""
        if whole and not whole.startswith("#"):
            lines.append((start, whole))
    return lines


def _split(line: str, name: str, number: int) -> tuple[str, list[str]]:
    import shlex  # only this option pays for it

    try:
        ranks, *words = shlex.split(line)
    except ValueError as error:
        raise _invalid(name, number, str(error).lower()) from error
    if not words:
        raise _invalid(name, number, "it names no program")
    return ranks, words


def _ranks(text: str, name: str, number: int) -> list[int]:
    ranks: list[int] = []
    for piece in text.split(","):
        low, dash, high = piece.partition("-")
        if not low.isdigit() or (dash and not high.isdigit()):
            raise _invalid(name, number, f'"{text}" is no list of task numbers such as 0,2-5, nor *',
                           f"Invalid task range specification ({text})")
        if dash and int(high) < int(low):
            raise _invalid(name, number, f"write {high}-{low}", f"Invalid task range, {low}-{high}")
        ranks.extend(range(int(low), int(high if dash else low) + 1))
    return ranks


def _invalid(name: str, number: int, why: str, before: str = "") -> InvalidRequest:
    return InvalidRequest(
        message=f"Line {number} of configuration file {name} invalid", preface=[before] if before else [], hints=[f"line {number}: {why}"])
