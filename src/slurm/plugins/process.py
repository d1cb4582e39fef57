"""PluginProcess: one plug-in as a daemon calls it.

Its process is started when it is needed, ended when it takes too long, and started anew.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Mapping
from typing import Any

from slurm.daemon.logs import Seldom
from slurm.plugins import frames
from slurm.plugins.failures import PluginFailed, value_of
from slurm.plugins.sources import Source

log = logging.getLogger("slurmctld.plugins")
_END_SECONDS = 8.0
_LINE_BYTES = 4096


class PluginProcess:
    """The process of the plug-in `source`; calls wait for one another. `seconds` is the deadline of a call, `settings` what it gets with
    each.

    `progress`: the file in which the number of the last call that went well is kept; a process that had it before is waited for as long as
    for a call. A process that was not called for `idle` seconds ends.
    """

    def __init__(self, source: Source, settings: Mapping[str, object], *, seconds: float, progress: str = "", idle: float = 60.0) -> None:
        self.source = source
        self._settings = dict(settings)
        self._seconds = seconds
        self._progress = progress
        self._idle = idle
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._lifeline = -1
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None
        self._rest: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._seldom = Seldom(log)
        self.reached: tuple[str, int] = ("", 0)  # journal and number of the last call that went well, as its process found it written down

    async def start(self) -> None:
        """Have its process; PluginFailed when it cannot be loaded, with `reached` filled in otherwise."""
        async with self._turn:
            await self._started()

    async def call(self, function: str, argument: object, *, kind: str = "", journal: str = "", number: int = 0) -> Any:
        """What a function of it returns, `failures.ABSENT` when it has none of that name; PluginRefused, PluginFailed.

        `kind` names the struct of `records` that the argument becomes. A call that failed may be made again: its process is a new one then.
        """
        async with self._turn:
            await self._started()
            request = {"function": function, "argument": argument, "kind": kind, "journal": journal, "number": number}
            try:
                return value_of(self.source.name, await self._asked(request, self._seconds))
            finally:
                self._rest_later()

    async def close(self) -> None:
        """End its process at once."""
        if self._rest is not None:
            self._rest.cancel()
        async with self._turn:
            await self._end()
        if self._closing:
            await asyncio.wait(self._closing)

    async def _started(self) -> None:
        if self._process is not None and self._process.returncode is None:
            return
        await self._end()
        await self._spawn()
        begin = {"source": self.source.told(), "settings": self._settings, "progress": self._progress}
        # Whoever had the progress before may finish what it began.
        journal, number = value_of(self.source.name, await self._asked(begin, 2 * self._seconds if self._progress else self._seconds))
        self.reached = str(journal), int(number)

    async def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        reading, writing = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "slurm.plugins.supervisor", str(theirs.fileno()), str(reading), str(self._seconds),
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
                pass_fds=(theirs.fileno(), reading), start_new_session=True, cwd="/")
        except OSError as error:
            os.close(writing)
            ours.close()
            raise PluginFailed(f"{self.source.name}: its process cannot be started: {error.strerror}") from error
        finally:
            theirs.close()
            os.close(reading)
        self._lifeline = writing
        self._reader, self._writer = await asyncio.open_connection(sock=ours, limit=frames.LONGEST)
        self._listening = asyncio.get_running_loop().create_task(self._listen(self._process))

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Log what it prints, some lines a second, and read all of it: nothing may wait for us to do so."""
        assert process.stdout is not None
        rest = b""
        while part := await process.stdout.read(1 << 16):
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                self._seldom.warning(self.source.name, line[:_LINE_BYTES].decode(errors="replace"))
            rest = rest[:_LINE_BYTES]
        if rest:
            self._seldom.warning(self.source.name, rest.decode(errors="replace"))

    async def _asked(self, request: object, seconds: float) -> Any:
        assert self._reader is not None and self._writer is not None
        try:
            async with asyncio.timeout(seconds):
                self._writer.write(frames.pack(request))
                await self._writer.drain()
                size = frames.length_of(await self._reader.readexactly(4))
                return frames.unpack(await self._reader.readexactly(size))
        except TimeoutError:
            await self._end()
            raise PluginFailed(f"{self.source.name}: it has not answered within {seconds:g} s and was ended") from None
        except (asyncio.IncompleteReadError, OSError, frames.Broken) as error:
            await self._end()
            why = str(error) if isinstance(error, frames.Broken) else "it ended without an answer"
            raise PluginFailed(f"{self.source.name}: {why}") from error
        except BaseException:  # whoever asked waits no more: the answer must not be taken for another one's
            self._end_soon()
            raise

    def _rest_later(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        self._rest = asyncio.get_running_loop().call_later(self._idle, self._end_idle)

    def _end_idle(self) -> None:
        if not self._turn.locked():
            self._end_soon()

    def _end_soon(self) -> None:
        task = asyncio.get_running_loop().create_task(self._end())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        lifeline, writer, listening = self._lifeline, self._writer, self._listening
        self._reader = self._writer = self._listening = None
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _END_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
        os.close(lifeline)
        if writer is not None:
            writer.close()
        if listening is not None:
            _, late = await asyncio.wait([listening], timeout=1.0)
            for task in late:  # somebody of another user has its output still
                task.cancel()
