"""slurmd's side of the zygote: starting it, asking it for a slurmstepd, hearing of those that ended. Not here: what a step is."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence

from slurm.model.errors import NotNow
from slurm.slurmd.stepd import kernel, passing
from slurm.slurmd.stepd.tasks import MARK

log = logging.getLogger("slurmd.zygote")
_FULL_SECONDS = 0.002
_ANSWER_SECONDS = 30.0
"""A zygote that does not fork within so long is stopped or stuck: it is replaced."""
_SHOWN_BYTES = 300
SECURED = "--secured"
"""Tells the zygote that steps will speak TLS with srun, so that it loads what they need once for all of them."""


def _nothing() -> None:
    """For callers that close later."""


class ZygoteLost(Exception):
    """The zygote died before it said whether it forked."""


class ZygoteClient:
    """One zygote, started anew when it dies. `on_gone(folder)` is called once nothing is left of a step's slurmstepd and its processes.

    `on_orphaned(folder)` is called for each running step when the zygote dies: its end must be learned in another way. `secured`: srun may
    call from other machines.
    """

    def __init__(self, on_gone: Callable[[str], None], on_orphaned: Callable[[str], None], *, secured: bool = False) -> None:
        self._flags = [SECURED] if secured else []
        self._on_gone = on_gone
        self._on_orphaned = on_orphaned
        self._channel: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._folders: dict[int, str] = {}
        self._waiting: dict[str, asyncio.Future[int]] = {}
        self._heirs: set[int] = set()
        self._cgroups: list[str] = []

    def start(self) -> None:
        """Start the zygote. What a killed one leaves arrives at this process, so that nothing of it can hide."""
        kernel.adopt_orphans()
        ours, theirs = passing.pair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "slurm.slurmd.zygote", *self._flags], stdin=theirs.fileno(), start_new_session=True,
                env=_environment())
        ours.setblocking(False)
        self._channel = ours
        self._tell_cgroups()
        asyncio.get_running_loop().add_reader(ours, self._read)

    def use_cgroups(self, paths: Sequence[str]) -> None:
        """Have these removed by a zygote that ends after us, once no step is in them."""
        self._cgroups = list(paths)
        self._tell_cgroups()

    def _tell_cgroups(self) -> None:
        if self._cgroups and self._channel is not None:
            passing.send(self._channel, json.dumps({"cgroups": self._cgroups}).encode())

    async def launch(self, folder: str, descriptors: Sequence[int], on_sent: Callable[[], None] = _nothing) -> int:
        """Fork a slurmstepd for the step in `folder`. Its pid. The descriptors (its journal, what `SrunLine.of` takes) stay the caller's.

        `on_sent()` is called once they are on their way: they may be closed then.
        NotNow when it cannot be forked; ZygoteLost when the zygote died meanwhile: whether it forked shows the lock of the journal.
        """
        if self._channel is None:
            self.start()
        born: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[folder] = born
        try:
            await self._send(json.dumps({"folder": folder}).encode(), list(descriptors))
            on_sent()
            return await asyncio.wait_for(asyncio.shield(born), _ANSWER_SECONDS)
        except TimeoutError:
            self._replace()
            if not born.done():
                raise ZygoteLost("the zygote did not answer") from None
            return born.result()
        finally:
            self._waiting.pop(folder, None)

    async def _send(self, packet: bytes, descriptors: list[int]) -> None:
        while self._channel is not None:
            try:
                if not passing.send(self._channel, packet, descriptors):
                    self._lost()  # whoever waits, this one too, is told
                return
            except BlockingIOError:
                await asyncio.sleep(_FULL_SECONDS)

    def _replace(self) -> None:
        log.error("the zygote did not answer for %d s: it is ended", _ANSWER_SECONDS)
        if self._process is not None and self._channel is not None:
            self._process.kill()
            self._process.wait()
            self._read()

    @property
    def pid(self) -> int:
        """The zygote's process number, 0 before the first start."""
        return self._process.pid if self._process is not None else 0

    def own_processes(self) -> set[int]:
        """Pids of the zygote and of slurmstepds that it left to us when it was killed: not what a killed slurmstepd left."""
        return {self.pid} | self._heirs | self._folders.keys()

    def close(self) -> None:
        """Let go of the zygote; it stays until its last step has ended."""
        if self._channel is not None:
            asyncio.get_running_loop().remove_reader(self._channel)
            self._channel.close()
            self._channel = None

    def _read(self) -> None:
        while self._channel is not None:
            try:
                packet = self._channel.recv(passing.LONGEST)
            except BlockingIOError:
                return
            except ConnectionError:
                packet = b""
            if not packet:
                self._lost()
                return
            try:
                self._take(json.loads(packet))
            except Exception as error:  # noqa: BLE001 - what one step's end brings about harms no other step
                log.error("what the zygote told could not be dealt with: %s", packet[:_SHOWN_BYTES], exc_info=error)

    def _take(self, message: dict[str, object]) -> None:
        if "gone" in message:
            folder = self._folders.pop(int(str(message["gone"])), None)
            if folder is not None:
                self._on_gone(folder)
            return
        folder = str(message["folder"])
        born = self._waiting.get(folder)
        if "error" in message:
            if born is not None and not born.done():
                born.set_exception(NotNow(message=f"cannot start slurmstepd: {message['error']}"))
            return
        self._folders[int(str(message["pid"]))] = folder
        if born is not None and not born.done():
            born.set_result(int(str(message["pid"])))

    def _lost(self) -> None:
        log.error("the zygote ended; its steps go on, a new one is started with the next step")
        self.close()
        if self._process is not None:
            self._process.poll()
        self._heirs.update(self._folders)
        orphans, self._folders = list(self._folders.values()), {}
        for born in self._waiting.values():
            if not born.done():
                born.set_exception(ZygoteLost("the zygote ended"))
        for folder in orphans:
            try:
                self._on_orphaned(folder)
            except Exception as error:  # noqa: BLE001 - nor here
                log.error("the step in %s is not watched", folder, exc_info=error)


def _environment() -> dict[str, str]:
    """slurmd's own, with what Python needs to find this package, and without the mark of a step that slurmd may have been started in."""
    source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    path = os.environ.get("PYTHONPATH", "")
    own = {name: value for name, value in os.environ.items() if name != MARK}
    return {**own, "PYTHONPATH": f"{source}:{path}" if path else source, "PYTHONDONTWRITEBYTECODE": "1"}
