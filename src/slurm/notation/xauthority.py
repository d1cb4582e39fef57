"""Xauthority files: which cookie opens which X display. Entries of five fields, numbers of two bytes, the high one first. Source: Xau(3).

    entry(WILD, b"", 20, cookie)      one for display 20, by whatever name its host is called
    show(parse(text))                 == text
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

INTERNET, INTERNET6, LOCAL, WILD = 0, 6, 256, 65535
"""Families: an IP address; the name of the machine itself; whatever host."""
COOKIE = b"MIT-MAGIC-COOKIE-1"
_NUMBER = struct.Struct("!H")


class Entry(NamedTuple):
    """`number` is the display's in digits, b"" for any; `name` says what kind of proof `data` is."""

    family: int
    address: bytes
    number: bytes
    name: bytes
    data: bytes


def entry(family: int, address: bytes, number: int, cookie: bytes) -> Entry:
    """That of a cookie."""
    return Entry(family, address, b"%d" % number, COOKIE, cookie)


def parse(text: bytes) -> list[Entry]:
    """The entries of a file, up to one that is cut short."""
    found: list[Entry] = []
    place = 0
    while place + _NUMBER.size <= len(text):
        family = _NUMBER.unpack_from(text, place)[0]
        place += _NUMBER.size
        fields: list[bytes] = []
        while len(fields) < len(Entry._fields) - 1 and place + _NUMBER.size <= len(text):
            length = _NUMBER.unpack_from(text, place)[0]
            place += _NUMBER.size
            if place + length > len(text):
                return found
            fields.append(text[place:place + length])
            place += length
        if len(fields) < len(Entry._fields) - 1:
            return found
        found.append(Entry(family, *fields))
    return found


def show(entries: Iterable[Entry]) -> bytes:
    """The file with these entries."""
    return b"".join(
        _NUMBER.pack(one.family) + b"".join(_NUMBER.pack(len(field)) + field for field in one[1:]) for one in entries)


def with_entry(entries: Iterable[Entry], new: Entry) -> list[Entry]:
    """These with a new one, in the place of one for the same display."""
    return [new, *(one for one in entries if one[:-1] != new[:-1])]


def cookie_for(entries: Iterable[Entry], addresses: Iterable[tuple[int, bytes]], number: int) -> bytes:
    """The cookie of a display whose host has these (family, address); b"" for none."""
    wanted = {*addresses}
    for one in entries:
        if one.name == COOKIE and one.number in (b"", b"%d" % number) and (one.family == WILD or (one.family, one.address) in wanted):
            return one.data
    return b""
