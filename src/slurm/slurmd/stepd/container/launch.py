"""Having a step's container made (`builder`) while slurmstepd goes on serving, and what comes back."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from slurm.slurmd.stepd import kernel, passing
from slurm.slurmd.stepd.cgroup import Cgroup
from slurm.slurmd.stepd.container.inside import FACTS, REPORT, SAVED, Inside
from slurm.slurmd.stepd.folder import PMIX, SCRIPT, StepRecord
from slurm.slurmd.stepd.loop import READ, Loop
from slurm.slurmd.stepd.user import changes_user

_BUILDER, _SAVER = (f"slurm.slurmd.stepd.container.{name}" for name in ("builder", "saver"))
_CACHE = "containers"
_FETCHING = (
    "HOME", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "ENROOT_CONFIG_PATH", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "DOCKER_CONFIG", "DOCKER_HOST")
"""Variables of the job that say how one gets to registries, and as whom."""
_BEYOND = 10
"""No descriptor of such a program has this number."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def make(loop: Loop, record: StepRecord, cgroup: Cgroup | None, tell: Callable[[str], None]) -> Inside:
    """The step's container; the current folder is the step's. OSError with a sentence when there can be none.

    The loop is served meanwhile: who ends the step ends the making too.
    """
    told = _told_by(loop, cgroup, tell, _BUILDER, _facts(record), ())
    if told.inside is None:
        raise OSError(told.refused or "what makes the container was ended")
    return told.inside


def save(loop: Loop, record: StepRecord, cgroup: Cgroup | None, files: int) -> str:
    """Have the container's `files` written as --container-save says; why they cannot be, or ""."""
    told = _told_by(loop, cgroup, _nobody, _SAVER, {**_owner(record), "save": record.container["container_save"]}, (files,))
    return "" if told.saved else told.refused or "what writes it was ended"


def _nobody(_sentence: str) -> None:
    """The saver has no news."""


def _told_by(
    loop: Loop, cgroup: Cgroup | None, tell: Callable[[str], None], module: str, facts: Mapping[str, object], given: Sequence[int],
) -> _Waiting:
    """What a program of this package says that runs as the step's owner, once it has ended. OSError when it does not start."""
    ours, theirs = passing.pair()
    with ours, theirs:
        _start(module, facts, (theirs.fileno(), *given), cgroup)
        theirs.close()
        ours.setblocking(False)
        waiting = _Waiting(ours, tell, by_root=not facts["uid"])
        loop.watch(ours.fileno(), READ, waiting.on_event)
        try:
            loop.run(lambda: waiting.over)
        finally:
            loop.unwatch(ours.fileno())
    return waiting


class _Waiting:
    def __init__(self, report: socket.socket, tell: Callable[[str], None], *, by_root: bool) -> None:
        self._report = report
        self._tell = tell
        self._by_root = by_root
        self.over = False
        self.refused = ""
        self.saved = False
        self.inside: Inside | None = None

    def on_event(self, _events: int) -> None:
        packet, descriptors = passing.receive(self._report)
        inside = Inside.of(packet, descriptors)
        if inside is not None and (inside.processes < 0 or self._by_root):
            self.inside, self.over = inside, True
            return
        for descriptor in descriptors:
            os.close(descriptor)
        # What makes the container runs as the owner, who may have it say what he likes.
        if inside is not None:
            self.refused, self.over = "what makes the container gave a namespace that nobody asked for", True
            return
        try:
            said = json.loads(packet) if packet.startswith(b"{") else {}
        except (ValueError, RecursionError):
            said = {"refused": "what makes the container says what nobody understands"}
        if "notice" in said:
            self._tell(str(said["notice"]))
        else:
            self.saved = packet == SAVED
            self.refused = str(said.get("refused", ""))
            self.over = True


def _start(module: str, told: Mapping[str, object], descriptors: Sequence[int], cgroup: Cgroup | None) -> None:
    """Start it, in the step's cgroups: what it takes is the step's. `descriptors` become REPORT and those behind. OSError."""
    facts = os.memfd_create("facts", os.MFD_CLOEXEC)
    os.write(facts, json.dumps(told).encode())
    os.lseek(facts, 0, os.SEEK_SET)
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    # Where nothing of it is overwritten by another: dup2 of one onto itself would leave it closed on exec.
    high = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, _BEYOND) for one in (null, null, facts, *descriptors)]
    environment = {"PATH": _PATH, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "LC_ALL": "C.UTF-8"}
    try:
        actions = [(os.POSIX_SPAWN_DUP2, given, target) for given, target in zip(high,
            (0, 1, FACTS, *range(REPORT, REPORT + len(descriptors))), strict=True)]
        started = os.posix_spawn(sys.executable, [sys.executable, "-S", "-m", module], environment, file_actions=actions, setsid=True,
            setsigmask=(), setsigdef=kernel.PYTHONS_OWN)
    finally:
        for descriptor in (facts, null, *high):
            os.close(descriptor)
    if cgroup is not None:
        for door in cgroup.doors():
            os.write(door, str(started).encode())
            os.close(door)


def _facts(record: StepRecord) -> dict[str, object]:
    step, owner = os.getcwd(), _owner(record)
    shown = [(os.path.join(step, SCRIPT), True)] if record.is_batch else []
    if record.mpi == "pmix":
        shown.append((os.path.join(step, PMIX), False))
    return {
        **owner, "options": dict(record.container), "cache": _cache(step, int(owner["uid"]), int(owner["gid"])),
        "home": record.environment.get("HOME", ""), "shown": shown,
        "fetching": {name: record.environment[name] for name in _FETCHING if name in record.environment}}


def _owner(record: StepRecord) -> dict[str, Any]:
    uid, gid = (record.uid, record.gid) if changes_user(record) else (os.geteuid(), os.getegid())
    return {"uid": uid, "gid": gid, "user": record.user, "groups": record.groups}


def _cache(step: str, uid: int, gid: int) -> str:
    """The folder of this user's images and containers, made where it is missing: nobody else enters it. OSError."""
    above = os.path.join(os.path.dirname(os.path.dirname(step)), _CACHE)
    own = os.path.join(above, str(uid))
    os.makedirs(above, 0o711, exist_ok=True)
    if not os.path.isdir(own):
        os.makedirs(own, 0o700, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(own, uid, gid)
    return own
