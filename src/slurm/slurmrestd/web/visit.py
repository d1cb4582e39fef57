"""One request for a page: what handlers are given, and what they give back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from slurm.model.errors import InvalidRequest
from slurm.slurmrestd.operation import Doors
from slurm.slurmrestd.web.sessions import Session


@dataclass
class Visit:
    """`path` holds what the URL names, `query` and `form` the values of each field; `now` seconds since the epoch.

    `place` is the page's own path with its query.
    """

    path: Mapping[str, str]
    query: Mapping[str, list[str]]
    form: Mapping[str, list[str]]
    session: Session
    doors: Doors
    now: float
    host: str
    cluster: str
    place: str = "/"

    def asked(self, name: str, default: str = "") -> str:
        """The first value of a field of the query."""
        return (self.query.get(name) or [default])[0].strip()

    def given(self, name: str, default: str = "") -> str:
        """The first value of a field of the form."""
        return (self.form.get(name) or [default])[0].strip()

    def number(self, name: str, default: int, most: int) -> int:
        """A number of the query; InvalidRequest."""
        text = self.asked(name)
        if text and not (text.isascii() and text.isdigit() and len(text) < 10):
            raise InvalidRequest(message=f"{name}={text[:32]!r}: a whole number is due")
        return min(int(text or default), most)


class Page(NamedTuple):
    """A page: its template and what that shows."""

    template: str
    shown: Mapping[str, Any]
    status: int = 200


class Moved(NamedTuple):
    """Where the browser is sent, after something was done."""

    place: str


Answer = Page | Moved
Handler = Callable[[Visit], Answer]


class Row(NamedTuple):
    """A row of the table of pages; `place` as Starlette writes paths. With `changes` it is a POST of a form."""

    place: str
    handler: Handler
    changes: bool = False


@dataclass
class Paging:
    """Which part of a long list a page shows."""

    first: int
    size: int
    total: int
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def last(self) -> int:
        """The number of the last row that is shown, from 1 on."""
        return min(self.first + self.size, self.total)


def local(place: str, otherwise: str = "/") -> str:
    """A place of this page, whatever a form says where to go on."""
    plain = place.isascii() and place.isprintable() and "\\" not in place
    return place if plain and place.startswith("/") and not place.startswith("//") else otherwise
