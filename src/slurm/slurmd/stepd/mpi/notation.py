"""How PMI requests lie in a byte stream: lines "cmd=put key=a value=b\n" (PMI-1), packets "    14cmd=kvs-fence;" with their length before
(PMI-2).

A stream begins in lines; the answer to its first says what follows. Text is latin-1: every byte has a character. Pure.
Source: the wire protocol pages of MPICH's wiki (PMI v2 Wire Protocol), and what mpiexec -verbose shows.
"""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 1 << 16
"""Of one request, bytes. Clients send 1024 at most."""
MOST_FIELDS = 1_000
LENGTH_DIGITS = 6
_VALUE_IS_THE_REST = frozenset({"value", "port", "msg", "error_msg"})


class Malformed(ValueError):
    """What came is no request of this protocol; the sentence says what is wrong with it."""


class Request:
    """A command and its fields."""

    def __init__(self, name: str, fields: dict[str, str]) -> None:
        self.name = name
        self._fields = fields

    def get(self, key: str, default: str | None = None) -> str:
        """A field. Malformed when it is missing and has no default."""
        value = self._fields.get(key, default)
        if value is None:
            raise Malformed(f"{self.name}: {key} is missing")
        return value

    def number(self, key: str, default: str | None = None) -> int:
        """A field that is a whole number of 32 bits. Malformed for anything else."""
        text = self.get(key, default)
        if not text.removeprefix("-").isdecimal() or len(text) > len(str(-2**31)) or not text.isascii():
            raise Malformed(f"{self.name}: {key} is no number")
        return int(text)


class Buffer:
    """Bytes of one task, taken out as requests."""

    def __init__(self) -> None:
        self.packets = False  # after the first answer: PMI-2
        self._held = bytearray()

    def feed(self, data: bytes) -> None:
        """Add what came."""
        self._held += data

    def take(self) -> Request | None:
        """The next whole request; None when there is none yet. Malformed."""
        return self._packet() if self.packets else self._line()

    def _line(self) -> Request | None:
        end = self._held.find(b"\n", 0, LONGEST)
        if end < 0:
            if len(self._held) >= LONGEST:
                raise Malformed(f"a line of more than {LONGEST} bytes")
            return None
        line = self._held[:end].decode("latin-1")
        del self._held[:end + 1]
        if line.startswith("mcmd="):
            return self._spawn(line)
        return parse_line(line)

    def _spawn(self, line: str) -> Request | None:
        """A "mcmd=spawn" goes over several lines, up to "endcmd"; all of it is passed over."""
        end = self._held.find(b"endcmd\n", 0, LONGEST)
        if end < 0:
            if len(self._held) >= LONGEST:
                raise Malformed(f"a request of more than {LONGEST} bytes")
            self._held[:0] = line.encode("latin-1") + b"\n"
            return None
        del self._held[:end + len(b"endcmd\n")]
        return Request(line.partition("=")[2], {})

    def _packet(self) -> Request | None:
        if len(self._held) < LENGTH_DIGITS:
            return None
        digits = self._held[:LENGTH_DIGITS].decode("latin-1").strip()
        if not (digits.isascii() and digits.isdecimal()) or int(digits) > LONGEST:
            raise Malformed(f"a packet whose length is {digits!r}")
        whole = LENGTH_DIGITS + int(digits)
        if len(self._held) < whole:
            return None
        text = self._held[LENGTH_DIGITS:whole].decode("latin-1")
        del self._held[:whole]
        return parse_packet(text)


def parse_line(line: str) -> Request:
    """A request in PMI-1's notation, without its end of line. Malformed."""
    fields: dict[str, str] = {}
    rest = line.strip(" ")
    while rest:
        key, equals, rest = rest.partition("=")
        if not equals or not key or " " in key or len(fields) >= MOST_FIELDS:
            raise Malformed("a line that is not key=value key=value")
        value, rest = (rest, "") if key in _VALUE_IS_THE_REST else rest.partition(" ")[::2]
        fields[key] = value
        rest = rest.lstrip(" ")
    return Request(_command(fields), fields)


def parse_packet(text: str) -> Request:
    """A request in PMI-2's notation, without its length: a semicolon ends each field, two are one that belongs to it. Malformed."""
    fields: dict[str, str] = {}
    for part in text.replace(";;", "\0").split(";"):
        if not part.strip(" \n"):
            continue
        key, equals, value = part.partition("=")
        if not equals or not key or len(fields) >= MOST_FIELDS:
            raise Malformed("a packet that is not key=value;key=value;")
        fields[key] = value.replace("\0", ";")
    return Request(_command(fields), fields)


def _command(fields: dict[str, str]) -> str:
    try:
        return fields.pop("cmd")
    except KeyError:
        raise Malformed("a request without cmd=") from None


def line(name: str, fields: Iterable[tuple[str, object]]) -> bytes:
    """An answer in PMI-1's notation."""
    return " ".join([f"cmd={name}", *(f"{key}={value}" for key, value in fields)]).encode("latin-1") + b"\n"


def packet(name: str, fields: Iterable[tuple[str, object]]) -> bytes:
    """An answer in PMI-2's notation."""
    pairs = [("cmd", name), *fields]
    body = "".join(f"{key}={str(value).replace(';', ';;')};" for key, value in pairs).encode("latin-1")
    return b"%*d" % (LENGTH_DIGITS, len(body)) + body
