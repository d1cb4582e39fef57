"""A plain HTTP GET at a port that takes TLS: what Prometheus sends to slurmctld. One request, one reply, and the connection ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple
from urllib.parse import unquote

MARK = b"GET /"
LONGEST = 16 * 1024
"""Bytes of a request."""
_END = b"\r\n\r\n"
_PHRASES = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 500: "Internal Server Error",
    503: "Service Unavailable"}


class Get(NamedTuple):
    """A request; names of headers in small letters."""

    path: str
    headers: Mapping[str, str]


class Got(NamedTuple):
    """What it is answered."""

    status: int
    body: str
    content_type: str = "text/plain; charset=utf-8"


OnGet = Callable[[Get], Awaitable[Got]]


def begins(data: bytes) -> bool:
    """Whether a connection's first bytes are, or may become, such a request."""
    return data[:len(MARK)] == MARK[:len(data)]


def read(head: bytes) -> Get | None:
    """The request in these bytes; None while it is not whole. ValueError when it never will be one."""
    whole, end, _ = head.partition(_END)
    if not end:
        if len(head) > LONGEST:
            raise ValueError("its head has no end")
        return None
    first, *lines = whole.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise ValueError("that is no HTTP request")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip() or name.lower() in headers:
            raise ValueError("its headers are none, or one is there twice")
        headers[name.lower()] = value.strip()
    return Get(unquote(words[1].partition("?")[0]), headers)


def written(got: Got) -> bytes:
    """A reply, after which the connection ends."""
    body = got.body.encode()
    challenge = 'WWW-Authenticate: Bearer realm="slurm"\r\n' if got.status == 401 else ""
    return (f"HTTP/1.1 {got.status} {_PHRASES[got.status]}\r\nContent-Type: {got.content_type}\r\nContent-Length: "
            f"{len(body)}\r\n{challenge}"
            "Cache-Control: no-store\r\nConnection: close\r\n\r\n").encode() + body
