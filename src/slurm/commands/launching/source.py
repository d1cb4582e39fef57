"""Standard input of a step: read as fast as the nodes take it, sent to all tasks or to one."""

from __future__ import annotations

import os
from collections.abc import Sequence

from slurm.commands.launching.link import Link
from slurm.commands.launching.loop import READ, Loop
from slurm.commands.launching.terminal import readable_by_us
from slurm.wire import step_io

_CHUNK = 1 << 16
_FOREGROUND_SECONDS = 1.0


class Source:
    """Reads `descriptor` for the tasks of `links`; `rank` step_io.ALL_TASKS or the one task that gets it."""

    def __init__(self, loop: Loop, descriptor: int, links: Sequence[Link], rank: int) -> None:
        self._loop = loop
        self._descriptor = descriptor
        self._links = [link for link in links if rank == step_io.ALL_TASKS or rank in link.ranks]
        self._rank = rank
        self._waiting = False
        self._ended = False

    def start(self) -> None:
        """Begin; without a descriptor the tasks have nothing to read."""
        if self._descriptor < 0:
            return
        for link in self._links:
            link.on_drained = self._on_drained
        self._resume()

    def stop(self) -> None:
        """Read no more."""
        self._ended = True
        self._loop.cancel("input")
        self._loop.unwatch(self._descriptor)

    def _resume(self) -> None:
        if self._ended:
            return
        if any(link.full for link in self._links):
            self._loop.unwatch(self._descriptor)
            self._waiting = True
        elif not readable_by_us(self._descriptor):
            self._loop.unwatch(self._descriptor)
            self._loop.after(_FOREGROUND_SECONDS, "input", self._resume)
        else:
            self._loop.watch(self._descriptor, READ, self._on_readable)

    def _on_drained(self) -> None:
        if self._waiting:
            self._waiting = False
            self._resume()

    def _on_readable(self, events: int) -> None:
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            # The shell took the terminal back, or standard input is closed; neither is an end of input to tell the tasks of.
            if readable_by_us(self._descriptor):
                data = b""
            else:
                self._resume()
                return
        for link in self._links:
            link.send(step_io.STDIN, self._rank, data)
        if not data:
            self.stop()
        elif any(link.full for link in self._links):
            self._resume()
