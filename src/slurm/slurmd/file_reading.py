"""Pieces of files that slurmctld asks for, as what jobs write: each is read by a process of the user whose job it is, within a deadline."""

from __future__ import annotations

import asyncio
import sys

from slurm.slurmd import file_reader
from slurm.wire import output_messages as o

SECONDS = 3.0
"""So long reading may take: the file may lie on a server that does not answer."""
AT_ONCE = 8


class FileReading:
    """Reads some at once; what is stuck is left behind, and takes a place until it ends."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)

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
        reading.add_done_callback(lambda _: self._places.release())
        try:
            told, _ = await asyncio.wait_for(asyncio.shield(reading), SECONDS)
        except TimeoutError:
            process.kill()
            return o.FileRead(number=order.number, error=f"{order.path} could not be read within {SECONDS:.0f} seconds")
        return _read(order, process.returncode, told)


def _read(order: o.ReadFile, status: int | None, told: bytes) -> o.FileRead:
    head, line_break, data = told.partition(b"\n")
    numbers = head.split()
    if status or not line_break or len(numbers) != 2:
        why = told.decode(errors="replace")[:1024] if status == file_reader.UNREADABLE else f"{order.path} could not be read"
        return o.FileRead(number=order.number, error=why)
    return o.FileRead(number=order.number, data=data[:o.LARGEST_PIECE], offset=int(numbers[0]), size=int(numbers[1]))
