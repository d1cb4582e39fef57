"""Logs: what jobs write, while they write it. Follows files by reading what was added to them; which files those are, the jobs know."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterator, Sequence
from typing import TextIO

from slurm.sdk.backends.backend import File
from slurm.sdk.following.tracker import Home

GROWTH = 1.5
LINE = 256
"""Bytes that a line is taken to have, when only the last ones are asked for."""
LEAST = 1 << 16


def pieces(cluster: Home, files: Sequence[File], *, follow: bool = True, lines: int | None = None) -> Iterator[tuple[File, bytes]]:
    """What these files hold and, with `follow`, what is added to them until their jobs have ended; with `lines` only the last ones of what
    is there.

    Asks again after pauses that grow from the first to the second of `Backend.pace` while nothing is written. Files that are not there yet
    may come; one that is begun anew, as that of a requeued job, is read anew. BackendError when the cluster stays away.
    """
    if lines is not None and lines < 0:
        raise ValueError(f"lines={lines}: give the number of lines to begin with, 0 for none of those that are there")
    shortest, longest = cluster.backend.pace
    left = {file.path: file for file in files}
    first = -max(LEAST, LINE * lines) if lines is not None else 0
    places = dict.fromkeys(left, first)
    pause = shortest
    while left:
        statuses = cluster.tracker.statuses([file.job for file in left.values()]) if follow else {}
        # Ended is asked before reading, so that what a job wrote last is read too.
        over = [path for path, file in left.items() if not follow or statuses[file.job].finished]
        begun = [path for path, file in left.items() if not follow or statuses[file.job].state != "PENDING"]
        grown = cluster.backend.grown({path: places[path] for path in begun})
        for path, (place, data) in grown.items():
            new = _last(data, lines) if lines is not None and places[path] < 0 else data
            places[path] = place
            if new:
                yield left[path], new
        for path in begun:
            places[path] = max(0, places[path])
        for path in over:
            if path not in grown:
                del left[path]
        if grown:
            pause = shortest
        elif left:
            cluster.tracker.wait([file.job for file in left.values()], pause)
            pause = min(longest, pause * GROWTH)


def lines(cluster: Home, files: Sequence[File], *, follow: bool = True, last: int | None = None) -> Iterator[str]:
    """As `pieces`, whole lines without their line breaks, each behind its file's prefix; of the last line what there is when the job has
    ended."""
    parts: dict[str, str] = {}
    decoders: dict[str, codecs.IncrementalDecoder] = {}
    utf8 = codecs.getincrementaldecoder("utf-8")
    for file, data in pieces(cluster, files, follow=follow, lines=last):
        decoder = decoders.setdefault(file.path, utf8("replace"))
        *whole, parts[file.path] = (parts.get(file.path, "") + decoder.decode(data)).split("\n")
        for line in whole:
            yield file.prefix + line
    for file in files:
        if rest := parts.get(file.path, "") + (decoders[file.path].decode(b"", True) if file.path in decoders else ""):
            yield file.prefix + rest


def stream(cluster: Home, files: Sequence[File], output: TextIO | None, *, follow: bool = True, last: int | None = None) -> None:
    """Write `pieces` to a text file, standard output unless said, as they come."""
    utf8 = codecs.getincrementaldecoder("utf-8")("replace")
    shown = sys.stdout if output is None else output
    for _, data in pieces(cluster, files, follow=follow, lines=last):
        shown.write(utf8.decode(data))
        shown.flush()


def _last(data: bytes, lines: int) -> bytes:
    """The last lines of what ends here; what stands after the last line break counts as a line."""
    end = len(data) - data.endswith(b"\n")
    for _ in range(lines):
        end = data.rfind(b"\n", 0, end)
        if end < 0:
            return data
    return data[end + 1:] if lines else b""
