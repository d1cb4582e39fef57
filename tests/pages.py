"""The pages of the documentation as data: their code blocks, and in which order they are to be run. Runs nothing.

    ```python                 all such blocks of a page are one script, which runs where the first of them stands; `# prints` says what it prints
    ```python title="a.py"    any block with a title is a file of that name; what it does, a console block shows
    ```console                lines behind "$ " are commands, the others what they print
    ```text                   something to look at

In what is printed, `…` stands for any text within a line, a line `[…]` for any lines, a time such as 0:04 for any time; columns may be wider.
A comment on the line above a block says otherwise: `<!-- not run: REASON -->` exempts it, `<!-- run with: torch -->` leaves it to `make clients`,
which installs what is named.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "examples" / "README.md", *(ROOT / "docs").rglob("*.md")])
REASONS = frozenset({"needs a site's configuration", "needs a remote host", "needs a GPU", "needs root", "needs another program", "ends when interrupted"})
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[\w-]*)(?P<rest>.*)$")
TITLE = re.compile(r'title="([^"]+)"')
MARK = re.compile(r"^\s*<!-- (?P<kind>not run|run with): (?P<what>.*?) -->$")
PRINTS = re.compile(r"^\s*# prints ?(.*)$", re.MULTILINE)
WILD = re.compile(r"…| {2,}|^ +|\b\d+:\d\d\b")


class Block(NamedTuple):
    """One fenced block; `line` is that of its first line of code, `reason` why it is not run, `needs` a module without which it cannot be."""

    page: Path
    line: int
    language: str
    title: str
    text: str
    reason: str
    needs: str

    @property
    def where(self) -> str:
        """The place, for messages."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


class Command(NamedTuple):
    """A command of a console block and the lines that it prints."""

    line: int
    text: str
    expected: list[str]


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    opened: re.Match[str] | None = None
    start, held, before = 0, [""], ""
    mark: re.Match[str] | None = None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if opened is None:
            if opened := FENCE.match(line):
                start, held, mark = number + 1, [], MARK.match(before)
            before = line
        elif line.strip() == "```":
            title = TITLE.search(opened["rest"])
            text = textwrap.dedent("\n".join(held)) + "\n" if held else ""
            said = {mark["kind"]: mark["what"]} if mark else {}
            yield Block(page, start, opened["language"], title[1] if title else "", text, said.get("not run", ""), said.get("run with", ""))
            opened = None
        else:
            held.append(line)
    assert opened is None, f"{page}:{start}: a block without an end"


def script(page: Path) -> str:
    """The untitled Python of a page as one script whose line numbers are those of the page; "" without any."""
    lines: list[str] = []
    for block in blocks(page):
        if block.language == "python" and not block.title and not block.reason:
            lines += [""] * (block.line - 1 - len(lines)) + block.text.splitlines()
    return "\n".join(lines) + "\n" if lines else ""


def printed(text: str) -> list[str]:
    """What a script says that it prints."""
    return PRINTS.findall(text)


def commands(block: Block) -> list[Command]:
    """The commands of a console block; a line that ends in a backslash goes on."""
    found: list[Command] = []
    unfinished = False
    for number, line in enumerate(block.text.splitlines(), block.line):
        if unfinished:
            found[-1] = found[-1]._replace(text=f"{found[-1].text}\n{line}")
        elif line.startswith("$ "):
            found.append(Command(number, line[2:], []))
        else:
            assert found, f"{block.where}: a console block begins with a command"
            found[-1].expected.append(line.rstrip())
            continue
        unfinished = line.endswith("\\")
    return found


def pattern(expected: list[str]) -> re.Pattern[str]:
    """What output matches the lines of a page."""
    parts = [r"(?:.*\n)*?" if line.strip() == "[…]" else _line(line) + r"[ ]*\n" for line in expected]
    return re.compile("".join(parts))


def _line(line: str) -> str:
    made, end = "", 0
    for found in WILD.finditer(line):
        made += re.escape(line[end:found.start()]) + (r".*?" if found[0] == "…" else " +" if found[0].isspace() else r"\d+:\d\d")
        end = found.end()
    return made + re.escape(line[end:])
