"""The scripts that agents hand in: options written into them as #SBATCH lines, and kept below the folder of jobs under a name of their
content."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from slurm.mcp.problems import Problem, problem
from slurm.notation import array
from slurm.notation.errors import NotationError
from slurm.sdk import options
from slurm.sdk.errors import InvalidOption

MAX_BYTES = 1 << 20
Asked = Mapping[str, str | int | bool | list[str]]


class Whole(NamedTuple):
    """A script as it is handed in; `added` are the lines, counted from 1, that are not the agent's."""

    text: str
    added: frozenset[int]

    def as_written(self, said: str, path: str) -> str:
        """What was said of the script at `path` as it is of what the agent wrote: by its own lines, and without a file that it knows
        nothing of."""

        def own(found: re.Match[str]) -> str:
            numbers = [int(number) for number in found["numbers"].split(", ")]
            if self.added.issuperset(numbers):
                return "the options"
            return (f"the script: {found['which']}line "
                    f"{', '.join(str(number - sum(one < number for one in self.added)) for number in numbers)}")

        return re.sub(rf"{re.escape(path)}: (?P<which>(?:#\w+ in )?)line (?P<numbers>\d+(?:, \d+)*)", own, said).replace(path, "the script")

    @contextmanager
    def told(self, path: str) -> Iterator[None]:
        """Refusals of the script at `path` become Problems that speak of what the agent wrote."""
        try:
            yield
        except Exception as error:
            known = problem(error)
            if known is None:
                raise
            raise Problem(known.code, self.as_written(known.message, path), self.as_written(known.hint, path), known.valid) from error


def with_options(script: str, asked: Asked, working_directory: str = "", name: str = "agent") -> Whole:
    """The script with these options behind those that it has, so that these win; Problem for options that sbatch has not.

    `name` is what the job is called unless the script or the options say otherwise.
    """
    if not script.startswith("#!"):
        raise Problem("submission_refused", "this does not look like a batch script: its first line must be #! and the path of an "
                                            "interpreter",
                      "begin with #!/bin/bash, or hand in a single command with submit_command")
    if "\0" in script:
        raise Problem("submission_refused", "the script holds a NUL character, at which a shell would end it",
            "write \\0 in the shell's own notation")
    if len(script.encode()) > MAX_BYTES:
        raise Problem("submission_refused", f"the script is longer than {MAX_BYTES} bytes",
            "put data into files, and let the script read them")
    chdir = {"chdir": working_directory} if working_directory else {}
    elements = {"array": str(asked["array"])} if "array" in asked else {}
    try:
        for text in elements.values():
            array.parse(text)
        others = options.checked({**{name: value for name, value in asked.items() if name not in elements}, **chdir}, "options")
    except InvalidOption as error:
        known = sorted([*options.rows(), "array"]) if "has no option" in str(error) else []
        raise Problem("invalid_option", str(error), valid=known) from error
    except NotationError as error:
        raise Problem("invalid_option", f"options: array: {error.message}", valid=[error.valid]) from error
    added = list(options.directives({**elements, **others}))
    lines = script.split("\n")
    last = 0
    for number, line in enumerate(lines[1:], 1):
        if line.strip() and not line.startswith("#"):
            break
        last = number if line.startswith("#SBATCH") else last
    text = "\n".join([lines[0], *options.directives({"job_name": name}), *lines[1:last + 1], *added, *lines[last + 1:]])
    return Whole(text, frozenset((2, *range(last + 3, last + 3 + len(added)))))


def of_command(command: str) -> str:
    """A script that runs a command line."""
    if not command.strip():
        raise Problem("submission_refused", "the command is empty", 'such as "python train.py --epochs 3"')
    return f"#!/bin/bash\n{command}\n"


def name_of(command: str) -> str:
    """What a job of this command line is called: its first word, without folders."""
    return os.path.basename(command.split()[0].strip("\"'();&|")) or "agent"


def path(base: str, script: str) -> str:
    """Where a script is kept: equal ones share a file, so handing one in again writes nothing new."""
    return f"{base}/mcp/{hashlib.sha256(script.encode()).hexdigest()[:16]}.sh"
