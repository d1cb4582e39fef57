"""#SBATCH lines: finds them in a script and splits them into words. What the words mean is read by `resolve`."""

from __future__ import annotations

from collections.abc import Iterator

from slurm.options.errors import OptionError

WRAPPER = "#!/bin/sh\n# This script was created by sbatch --wrap.\n\n"
"""What stands in a script before the command of --wrap."""
_BLANK = " \t"


class Directive:
    """The words of one #SBATCH line; `line` counts from 1, `text` is the line as written."""

    __slots__ = ("line", "text", "words")

    def __init__(self, line: int, text: str, words: list[str]) -> None:
        self.line = line
        self.text = text
        self.words = words


class Directives:
    """What a script asks for: `parts` up to its first command line, `late` the numbers of #SBATCH lines behind it, `pbs` of #PBS lines.

    There is one part for each component of a heterogeneous job, which a line `#SBATCH hetjob` begins; `packjob`: with its old name.
    """

    __slots__ = ("late", "packjob", "parts", "pbs")

    def __init__(self) -> None:
        self.parts: list[list[Directive]] = [[]]
        self.late: list[int] = []
        self.pbs: list[int] = []
        self.packjob = False

    @property
    def given(self) -> list[Directive]:
        """Those of the first component."""
        return self.parts[0]


def read(script: str, name: str = "script") -> Directives:
    """The directives of a script; those that stand behind the first command have no effect, as in Slurm."""
    found = Directives()
    commands = False
    for number, line in enumerate(script.split("\n"), start=1):
        if line.startswith("#SBATCH"):
            if commands:
                found.late.append(number)
                continue
            where = f"{name}: line {number}"
            text = line[len("#SBATCH") :]
            if text.startswith(":"):
                raise OptionError(f"{where}: Unexpected `:` in [{text}]", exit_code=1, fatal=True,
                    hints=["write #SBATCH, a blank, and the options"])
            found_words = list(words(text, f"{where}: {line}"))
            if found_words[:1] in (["hetjob"], ["packjob"]):
                found.packjob = found.packjob or found_words[0] == "packjob"
                found.parts.append([])
                found_words = found_words[1:]
            if found_words:
                found.parts[-1].append(Directive(number, line, found_words))
        elif _is_pbs(line) and not commands:
            found.pbs.append(number)
        elif line.strip(_BLANK) and not line.lstrip(_BLANK).startswith("#"):
            commands = True
    return found


def _is_pbs(line: str) -> bool:
    return line.startswith("#PBS") and line[4:5] in ("", " ", "\t")


def words(text: str, where: str) -> Iterator[str]:
    """Words between blanks; quotes and backslashes keep blanks and `#`, any other `#` begins a comment."""
    word: list[str] = []
    inside = False
    quote = ""
    escaped = False
    for char in text:
        if escaped:
            word.append(char)
            escaped = False
        elif char == "\\" and quote != "'":
            escaped = inside = True
        elif quote:
            if char == quote:
                quote = ""
            else:
                word.append(char)
        elif char in "'\"":
            quote = char
            inside = True
        elif char in _BLANK:
            if inside:
                yield "".join(word)
            word, inside = [], False
        elif char == "#":
            break
        else:
            word.append(char)
            inside = True
    if quote:
        raise OptionError(f"Unmatched `{quote}` in {where}", exit_code=1, hints=["close the quote on the same line"])
    if inside:
        yield "".join(word)
