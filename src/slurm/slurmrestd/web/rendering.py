"""Templates, and how values read in them. Every text is escaped unless it is SVG of ours."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from slurm.notation import duration, size
from slurm.notation.printable import printable
from slurm.slurmrestd.web import charts

HERE = os.path.dirname(os.path.abspath(__file__))
_KINDS = {
    "running": "good", "completed": "good", "idle": "good", "up": "good", "active": "good", "pending": "wait", "planned": "wait",
    "suspended": "wait", "completing": "busy", "configuring": "busy", "allocated": "busy", "mixed": "busy", "cancelled": "off",
    "inactive": "off", "drained": "off", "draining": "off", "drain": "off", "reserved": "wait", "maint": "off", "requeued": "wait",
    "preempted": "off", "stopped": "wait"}
"""A state's first word → the class of its colour; what is not here is bad."""
TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml",
    "LICENSE": "text/plain; charset=utf-8"}


class File(NamedTuple):
    """A file of the page that is the same for everybody."""

    content: bytes
    type: str


def _files() -> dict[str, File]:
    folder = os.path.join(HERE, "static")
    found = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            found[name] = File(file.read(), TYPES[name.rpartition(".")[2]])
    return found


class Rendering:
    """The templates, read once."""

    def __init__(self) -> None:
        self.files = _files()
        self.version = hashlib.blake2b(b"".join(one.content for one in self.files.values()), digest_size=6).hexdigest()
        self._environment = Environment(
            loader=FileSystemLoader(os.path.join(HERE, "templates")), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True)
        self._environment.filters.update(
            moment=moment, lasting=duration.show, memory=memory, kind=kind, words=words, plain=printable, counted=counted, ago=ago,
            opened=opened)
        self._environment.globals.update(meter=charts.meter, static=f"/static/{self.version}")

    def page(self, template: str, shown: Mapping[str, Any]) -> str:
        """The text of a page."""
        return self._environment.get_template(template).render(shown)


@cache
def shared() -> Rendering:
    """The templates of this process."""
    return Rendering()


def kind(state: str) -> str:
    """The class of a state's colour."""
    return _KINDS.get(state.lower().rstrip("*+$#~!%^@-").partition(" ")[0].partition("+")[0], "bad")


_MARKS = {
    "*": "not responding", "$": "in maintenance", "~": "powered down", "#": "powering up", "!": "power-down pending", "%": "powering down",
    "^": "rebooting", "@": "reboot pending", "-": "planned"}
"""What sinfo puts behind a node's state."""


def words(state: str) -> str:
    """A state as people write it."""
    mark = _MARKS.get(state[-1:], "")
    plain = (state[:-1] if mark else state).replace("_", " ")
    return (plain.capitalize() if plain.isupper() else plain) + (f", {mark}" if mark else "")


def moment(seconds: float) -> str:
    """A moment in this machine's time, to the second; – where there is none."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)) if seconds else "–"


def ago(seconds: float) -> str:
    """A length of time in one unit: 5 min, 3 h, 2 d."""
    for unit, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{max(0.0, seconds):.0f} s"


def memory(megabytes: float) -> str:
    """Memory with its unit, from MB."""
    return size.show_mb(int(megabytes))


def counted(number: int, one: str, several: str = "") -> str:
    """1 job, 2 jobs."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def opened(sentence: str) -> str:
    """A sentence with a capital letter at its beginning."""
    return sentence[:1].upper() + sentence[1:]
