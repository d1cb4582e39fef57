"""Resubmission: the command line by which a job was submitted, with other options, for whoever is to send it again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence

from slurm.model.errors import SlurmError
from slurm.model.job import Job
from slurm.options.directives import WRAPPER
from slurm.options.errors import UsageError
from slurm.options.resolve import split

COMMANDS = ("sbatch", "srun", "salloc")


def again(line: str, work_dir: str, changed: Mapping[str, str], texts: Iterable[str] = ()) -> str:
    """The shell command that submits what `line` did from `work_dir`, with the options `changed` (name → value); "" where nobody knows.

    A submit line shows its words without the quotes that they had; `texts` are those known to have been one word.
    """
    try:
        words = shlex.split(_quoted(line, texts))
        command = words[0].rpartition("/")[2] if len(words) > 1 else ""
        if command not in COMMANDS:
            return ""
        rest = split(command, words[1:])[1]
        given = list(_options(command, words[1:len(words) - len(rest)]))
    except (ValueError, SlurmError):
        return ""
    kept = [words[0], *(f"--{name}={value}" for name, value in changed.items())]
    for names, spelled in given:
        if not names or not names <= changed.keys():
            kept += spelled
    shown = shlex.join([*kept, *rest])
    return f"cd {shlex.quote(work_dir)} && {shown}" if work_dir else shown


def texts_of(job: Job, script: str) -> list[str]:
    """Words of a job's submit line that may have had quotes; `script` is its batch script, "" where that is not known."""
    request = job.request
    wrapped = [script.removeprefix(WRAPPER).removesuffix("\n")] if script.startswith(WRAPPER) else []
    return [*wrapped, *job.payload.argv, request.name, request.comment, request.work_dir, request.stdin, request.stdout, request.stderr,
            request.features, request.export_env, request.command]


def _quoted(line: str, texts: Iterable[str]) -> str:
    """The line with quotes around those of the texts that need them and stand in it without, the longest first."""
    marks: dict[str, str] = {}
    for text in sorted({text for text in texts if text}, key=len, reverse=True):
        quoted = shlex.quote(text)
        if quoted != text and quoted not in line:
            mark = f"\0{len(marks)}\0"
            marks[mark] = quoted
            line = re.sub(rf"(?<![^ =]){re.escape(text)}(?![^ ])", mark, line)
    for mark, quoted in marks.items():
        line = line.replace(mark, quoted)
    return line


def _options(command: str, words: Sequence[str]) -> Iterator[tuple[set[str], Sequence[str]]]:
    """The names of the options, and the words with which they are given: one, or two where the value is a word of its own."""
    place = 0
    while place < len(words):
        count = 1
        try:
            given, _ = split(command, words[place:place + 1])
        except UsageError:
            count = 2
            given, _ = split(command, words[place:place + 2])
        yield {one.option.name for one in given}, words[place:place + count]
        place += count
