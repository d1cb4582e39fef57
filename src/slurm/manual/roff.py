"""Manual pages as troff: sections of paragraphs, items and examples, in the man macros that every `man` knows.

In texts `x` is set bold and *X* in italics. Pages are ASCII but for what ASCII has no sign for, which is named as troff names it.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from typing import NamedTuple

_SIGNS = {"…": "...", "’": "'", "–": "\\(en", "—": "\\(em", "×": "\\(mu", "≥": "\\(>=", "≤": "\\(<=", "“": '"', "”": '"', "→": "\\(->",
    "µ": "\\(mc"}
_INLINE = re.compile(r"`([^`]+)`|(?<![\w*])\*([^*\s]+)\*(?![\w*])")
_WIDTH = 100


class Paragraph(NamedTuple):
    """Running text."""

    text: str


class Item(NamedTuple):
    """A term and, indented, what it means."""

    term: str
    text: str


class Code(NamedTuple):
    """Lines that are shown as they are."""

    text: str


class Heading(NamedTuple):
    """A heading within a section."""

    text: str


Block = Paragraph | Item | Code | Heading


class Section(NamedTuple):
    """A heading and what stands below it."""

    title: str
    blocks: tuple[Block, ...]


class Page(NamedTuple):
    """One manual page.

    `synopsis` lines are marked up as texts are; `date` is that of the release, so that equal sources make equal pages.
    """

    name: str
    number: int
    purpose: str
    synopsis: tuple[str, ...]
    sections: tuple[Section, ...]


def rendered(page: Page, *, date: str, source: str) -> str:
    """The page as troff."""
    lines = [f'.TH {_title(page.name)} {page.number} {date} "{source}" "{_VOLUMES[page.number]}"', ".nh", ".SH NAME",
        f"{_plain(page.name)} \\- {_text(page.purpose)}"]
    if page.synopsis:
        lines.append(".SH SYNOPSIS")
        for place, one in enumerate(page.synopsis):
            lines += [".br"] * (place > 0) + [_text(one)]
    for section in page.sections:
        if section.blocks:
            lines.append(f".SH {_text(section.title)}")
            before: Block | None = None
            for block in section.blocks:
                lines += _block(block, first=before is None or isinstance(before, Heading))
                before = block
    return "\n".join(lines) + "\n"


_VOLUMES = {1: "Slurm Commands", 5: "Slurm Configuration Files", 8: "Slurm Daemons"}


def _title(name: str) -> str:
    return name.upper().replace("-", "\\-")


def _block(block: Block, *, first: bool) -> Iterable[str]:
    if isinstance(block, Heading):
        return [f".SS {_text(block.text)}"]
    if isinstance(block, Paragraph):
        return [*([] if first else [".PP"]), *_filled(block.text)]
    if isinstance(block, Item):
        return [".TP", _text(block.term), *(_filled(block.text) or ["\\&"])]
    return [*([] if first else [".PP"]), ".nf", ".RS 4", *(_verbatim(line) for line in block.text.strip("\n").split("\n")), ".RE", ".fi"]


def _filled(text: str) -> list[str]:
    """Text in lines, a new one for each sentence, as troff's own authors advise."""
    lines = []
    for sentence in re.split(r"(?<=[.:?!]) (?=[A-Z`*])", " ".join(text.split())):
        lines += textwrap.wrap(sentence, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [_text(line) for line in _whole(lines)]


def _whole(lines: list[str]) -> list[str]:
    """Lines joined again where a break would part what is marked up."""
    found: list[str] = []
    for line in lines:
        if found and found[-1].count("`") % 2:
            found[-1] += " " + line
        else:
            found.append(line)
    return found


def _text(text: str) -> str:
    """One line of text with its marks."""
    found, place = "", 0
    for match in _INLINE.finditer(text):
        found += _escaped(text[place:match.start()])
        bold, italic = match.groups()
        found += f"\\fB{_plain(bold)}\\fR" if bold else f"\\fI{_plain(italic)}\\fR"
        place = match.end()
    found += _escaped(text[place:])
    return _begun(found)


def _begun(line: str) -> str:
    """A line that troff does not take for a request."""
    return f"\\&{line}" if line[:1] in (".", "'") else line


def _plain(text: str) -> str:
    """What a user may copy: its dashes are the ones that are typed."""
    return _escaped(text).replace("-", "\\-")


def _verbatim(line: str) -> str:
    return _begun(_plain(line).replace("'", "\\(aq"))


def _escaped(text: str) -> str:
    found = text.replace("\\", "\\e").replace("~", "\\(ti").replace("^", "\\(ha")
    found = "".join(_SIGNS.get(letter, letter) for letter in found)
    if not found.isascii():
        raise ValueError(f"no sign of troff is known for {sorted(set(found) - set(map(chr, range(128))))} in {text!r}")
    return found
