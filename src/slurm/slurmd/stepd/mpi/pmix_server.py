"""`python -m slurm.slurmd.stepd.mpi.pmix_server FD`: the PMIx server of one step on one node, a process of its own that runs as the step's
owner.

libpmix is a C library that reads what tasks send: it must neither run as root nor share memory with slurmstepd. The socket FD leads to
that: one frame in with the facts, then frames both ways (`pmix_frames`). The end of the socket is the end of this process.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from slurm.slurmd.stepd import kernel
from slurm.slurmd.stepd.mpi import libpmix as pmix
from slurm.slurmd.stepd.mpi import pmix_frames as frames

_PATIENCE_SECONDS = 15.0


class PmixServer:
    """What libpmix asks of its host, and what the slurmstepd answers."""

    def __init__(self, stream: socket.socket, facts: Mapping[str, Any]) -> None:
        self._stream = stream
        self._namespace = str(facts["namespace"]).encode()
        self._nodes: Sequence[str] = facts["nodes"]
        self._ranks: Sequence[Sequence[int]] = facts["ranks"]
        self._number: int = facts["number"]
        self._local = self._ranks[self._number]
        self._folder = str(facts["folder"])
        self._size = sum(map(len, self._ranks))
        self._sending = threading.Lock()
        self._fences: list[tuple[Any, int | None]] = []  # asked for and not answered
        self._buffers: dict[int, object] = {}  # what libpmix reads until it says that it has
        self._release = pmix.Release(lambda number: self._buffers.pop(number, None))
        self._library = pmix.Library()
        self._module = pmix.Module(
            pmix.OnClient(_welcome), pmix.OnClient(_welcome), pmix.OnAbort(self._on_abort), pmix.OnFence(self._on_fence),
            pmix.OnDirectModex(_no_modex))

    def open(self, uid: int, gid: int) -> dict[str, dict[str, str]]:
        """Begin to serve; rank → variables of its task. OSError."""
        library = self._library
        infos = library.infos([
            ("pmix.srvr.tmpdir", pmix.text(self._folder)), ("pmix.sys.tmpdir", pmix.text(self._folder)),
            ("pmix.hname", pmix.text(self._nodes[self._number]))])
        library.call("server_init", ctypes.byref(self._module), infos, ctypes.c_size_t(len(infos)))
        facts = library.infos(self._facts())
        self._call("server_register_nspace", self._namespace, len(self._local), facts, ctypes.c_size_t(len(facts)))
        variables = {}
        for rank in self._local:
            proc = pmix.Proc(self._namespace, rank)
            self._call("server_register_client", ctypes.byref(proc), uid, gid, None)
            variables[str(rank)] = library.environment(proc)
        return variables

    def _call(self, name: str, *arguments: Any) -> None:
        """A call whose status comes later."""
        done = threading.Event()
        told: list[int] = []

        def on_done(status: int, _data: int | None) -> None:
            told.append(status)
            done.set()

        callback = pmix.OpCallback(on_done)
        self._library.call(name, *arguments, callback, None)
        if not done.wait(_PATIENCE_SECONDS) or told[0] not in (pmix.SUCCESS, pmix.DONE_AT_ONCE):
            raise pmix.Failed(f"PMIx_{name} failed: {self._library.said(told[0]) if told else 'no answer'}")

    def _facts(self) -> list[tuple[str, pmix.Typed]]:
        """What the tasks may ask about their job. Keys as in the PMIx Standard, chapter 17.2.3."""
        library, size, local = self._library, self._size, self._local
        facts = [
            ("pmix.nmap", library.expression("generate_regex", ",".join(self._nodes))),
            ("pmix.pmap", library.expression("generate_ppn", ";".join(",".join(map(str, ranks)) for ranks in self._ranks))),
            ("pmix.jobid", pmix.text(self._namespace.decode())), ("pmix.nlist", pmix.text(",".join(self._nodes))),
            ("pmix.univ.size", pmix.number(size)), ("pmix.job.size", pmix.number(size)), ("pmix.max.size", pmix.number(size)),
            ("pmix.job.napps", pmix.number(1)), ("pmix.app.size", pmix.number(size)), ("pmix.num.nodes", pmix.number(len(self._nodes))),
            ("pmix.local.size", pmix.number(len(local))), ("pmix.node.size", pmix.number(len(local))),
            ("pmix.lpeers", pmix.text(",".join(map(str, local)))), ("pmix.lldr", pmix.rank(local[0])),
            ("pmix.tmpdir", pmix.text(self._folder)), ("pmix.nsdir", pmix.text(self._folder)), ("pmix.tdir.rmclean", pmix.flag(True))]
        for number, (node, ranks) in enumerate(zip(self._nodes, self._ranks, strict=True)):
            facts += [("pmix.pdata", pmix.array({
                "pmix.rank": pmix.rank(rank), "pmix.appnum": pmix.number(0), "pmix.grank": pmix.rank(rank), "pmix.apprank": pmix.rank(rank),
                "pmix.lrank": pmix.short(place), "pmix.nrank": pmix.short(place), "pmix.nodeid": pmix.number(number),
                "pmix.hname": pmix.text(node),
            })) for place, rank in enumerate(ranks)]
        return facts

    # --- what libpmix asks, in a thread of its own ------------------------------------------------------------------------

    def _on_abort(self, proc: Any, _task: Any, status: int, message: bytes | None, _procs: Any, _count: int, callback: int | None,
            data: int | None) -> int:
        self.say(frames.ABORT, {"rank": proc[0].rank, "code": status, "why": (message
            or b"").decode(errors="replace")[:frames.LONGEST_SENTENCE]})
        if callback:
            pmix.OpCallback(callback)(pmix.SUCCESS, data)
        return pmix.SUCCESS

    def _on_fence(self, procs: Any, count: int, _infos: Any, _info_count: int, given: int | None, size: int, callback: int,
            data: int | None) -> int:
        mine = ctypes.string_at(given, size) if given and size else b""
        asked = {procs[number].rank for number in range(count)}
        if pmix.WILDCARD in asked or asked == set(range(self._size)):
            with self._sending:
                self._fences.append((pmix.ModexCallback(callback), data))
                frames.send(self._stream, frames.FENCE, mine)
            return pmix.SUCCESS
        if asked <= set(self._local):
            self._answer(pmix.ModexCallback(callback), data, mine)
            return pmix.SUCCESS
        return pmix.NOT_SUPPORTED

    # --- what the slurmstepd says -----------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Until the slurmstepd hangs up."""
        while (frame := frames.receive(self._stream)) is not None:
            kind, everything = frame
            if kind == frames.FENCE and self._fences:
                callback, data = self._fences.pop(0)
                self._answer(callback, data, everything)

    def _answer(self, callback: Any, data: int | None, everything: bytes) -> None:
        number = max(self._buffers, default=0) + 1
        buffer = self._buffers[number] = ctypes.create_string_buffer(everything, max(1, len(everything)))
        callback(pmix.SUCCESS, ctypes.addressof(buffer), len(everything), data, ctypes.cast(self._release, ctypes.c_void_p), number)

    def say(self, kind: int, what: object) -> None:
        """Tell the slurmstepd."""
        with self._sending:
            frames.send(self._stream, kind, frames.encoded(what))


def _welcome(_proc: Any, _task: int | None, callback: int | None, data: int | None) -> int:
    if callback:
        pmix.OpCallback(callback)(pmix.SUCCESS, data)
    return pmix.SUCCESS


def _no_modex(_proc: Any, _infos: Any, _count: int, _callback: int | None, _data: int | None) -> int:
    return pmix.NOT_SUPPORTED  # what a task has to say comes at fences


def _become(facts: Mapping[str, Any]) -> None:
    if os.geteuid() == 0 and facts["uid"] != 0:
        os.setgroups(facts["groups"])
        os.setgid(facts["gid"])
        os.setuid(facts["uid"])
    kernel.die_with_parent(signal.SIGKILL)


def main(descriptor: int) -> int:
    """Serve a step until its slurmstepd hangs up."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the tasks are asked to end, and may still need their server
    stream = socket.socket(fileno=descriptor)
    first = frames.receive(stream)
    if first is None:
        return 1
    facts: dict[str, Any] = dict(frames.decoded(first[1]))
    try:
        _become(facts)
        server = PmixServer(stream, facts)
        variables = server.open(facts["uid"], facts["gid"])
    except OSError as error:
        frames.send(stream, frames.FAILED, frames.encoded({"why": str(error)[:frames.LONGEST_SENTENCE]}))
        return 1
    server.say(frames.READY, variables)
    server.serve()
    os._exit(0)  # libpmix has threads, and its files go with the step's folder


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
