"""A container that is ready: what slurmstepd holds of it, and how a task enters it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from slurm.slurmd.stepd.container import mounting

FACTS, REPORT, FILES = 3, 4, 5
"""Descriptors of builder and saver: a file of what is asked for, the socket to slurmstepd, the container's files."""
SAVED = b"saved"
READY = b"ready"
"""Its last packet, with descriptors in the order of `Inside`; the letters behind say which of the last two are among them."""
ENTRY_POINT = "/etc/rc"
"""What enroot's images have as theirs: it enters the image's folder and runs the image's program with the words behind it."""
_LONGEST = 4 << 20
_OURS = ("SLURM", "PMI", "NEURON_RT_VISIBLE_CORES", "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "ROCR_VISIBLE_DEVICES",
    "ZE_AFFINITY_MASK")
"""Beginnings of variables that tell of the step: no image knows better."""


class Entered(NamedTuple):
    """What a task is started with inside."""

    argv: list[str]
    environment: dict[str, str]


class Inside(NamedTuple):
    """Open descriptors: of the namespaces, of what `builder` told, of the files as they are without what is mounted over them; of a
    namespace of processes, and of what keeps its image here (-1: there is none)."""

    users: int
    mounts: int
    told: int
    files: int
    processes: int = -1
    lock: int = -1

    @classmethod
    def of(cls, packet: bytes, descriptors: Sequence[int]) -> Inside | None:
        """The container of which the builder's last packet tells; None for any other packet."""
        kinds = packet.removeprefix(READY)
        if kinds == packet or kinds not in (b"", b"p", b"l", b"pl") or len(descriptors) != 4 + len(kinds):
            return None
        rest = dict(zip(kinds.decode(), descriptors[4:], strict=True))
        users, mounts, told, files = descriptors[:4]
        return cls(users, mounts, told, files, rest.get("p", -1), rest.get("l", -1))

    def close(self) -> None:
        """Let go: when no task is left inside, the container is gone."""
        for descriptor in self:
            if descriptor >= 0:
                os.close(descriptor)

    def fork(self) -> int:
        """As os.fork: who is born is in the container's namespace of processes, where it has one. OSError."""
        if self.processes < 0:
            return os.fork()
        own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        try:
            mounting.enter(self.processes, mounting.NEW_PROCESSES)
            pid = os.fork()
        except OSError:
            mounting.enter(own, mounting.NEW_PROCESSES)
            os.close(own)
            raise
        if pid:
            mounting.enter(own, mounting.NEW_PROCESSES)
        os.close(own)
        return pid

    def enter(self, argv: Sequence[str], environment: Mapping[str, str]) -> Entered:
        """Have the calling process, which runs as the owner, be inside. OSError.

        What the image says was said by somebody who runs as the owner: it is read as he.
        """
        told = _read(self.told)
        mounting.enter(self.users, mounting.NEW_USERS)
        mounting.enter(self.mounts, mounting.NEW_MOUNTS)
        mounting.gain_no_privileges()
        folder = str(told["work_dir"])
        try:
            os.chdir(folder)
        except OSError as error:
            raise OSError(error.errno, f"the working directory {folder} cannot be entered in the container: {error.strerror}") from error
        own = {name: str(value) for name, value in dict(told["environment"]).items() if not name.startswith(_OURS)}
        kept = {name: environment[name] for name in told["kept"] if name in environment}
        words = [ENTRY_POINT, *argv] if told["entry_point"] else list(argv)
        return Entered(words, {**environment, **own, **kept, "PWD": folder})


def _read(descriptor: int) -> dict[str, Any]:
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode) or facts.st_size > _LONGEST:
        raise OSError("what was said of the container is no file")
    found: dict[str, Any] = json.loads(os.pread(descriptor, facts.st_size, 0))
    return found
