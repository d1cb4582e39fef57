"""Pieces of files that slurmctld asks for, as what jobs write: each is read by a process of the user whose job it is, within a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import sys

from slurm.slurmd import file_reader
from slurm.wire import output_messages as o

SECONDS = 3.0
"""So long reading may take: the file may lie on a server that does not answer."""
AT_ONCE = 8
_END_SECONDS = 1.0


class FileReading:
    """Reads some at once; what is stuck is left behind, and takes a place until it ends."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)
        self._under_way: dict[asyncio.Future[tuple[bytes, bytes]], asyncio.subprocess.Process] = {}

    async def answer(self, order: o.ReadFile) -> o.FileRead:
        """The piece, or why there is none."""
        if self._places.locked():
            return o.FileRead(number=order.number, error="the node is reading too many files")
        await self._places.acquire()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", file_reader.__file__, str(order.uid), str(order.gid), order.user, str(order.offset), str(o.LARGEST_PIECE),
                order.path, env={}, cwd="/", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL)
        except OSError as error:
            self._places.release()
            return o.FileRead(number=order.number, error=f"nothing can be started on the node: {error.strerror}")
        reading = asyncio.ensure_future(process.communicate())
        self._under_way[reading] = process
        reading.add_done_callback(self._over)
        try:
            told, _ = await asyncio.wait_for(asyncio.shield(reading), SECONDS)
        except TimeoutError:
            _kill(process)
            return o.FileRead(number=order.number, error=f"{order.path} could not be read within {SECONDS:.0f} seconds")
        return _read(order, process.returncode, told)

    def _over(self, reading: asyncio.Future[tuple[bytes, bytes]]) -> None:
        del self._under_way[reading]
        self._places.release()

    async def close(self) -> None:
        """End what still reads. What is stuck in the kernel is left behind."""
        for process in self._under_way.values():
            _kill(process)
        if self._under_way:
            await asyncio.wait(list(self._under_way), timeout=_END_SECONDS)


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended already
        process.kill()


def _read(order: o.ReadFile, status: int | None, told: bytes) -> o.FileRead:
    head, line_break, data = told.partition(b"\n")
    numbers = head.split()
    if status or not line_break or len(numbers) != 2:
        why = told.decode(errors="replace")[:1024] if status == file_reader.UNREADABLE else f"{order.path} could not be read"
        return o.FileRead(number=order.number, error=why)
    return o.FileRead(number=order.number, data=data[:o.LARGEST_PIECE], offset=int(numbers[0]), size=int(numbers[1]))
