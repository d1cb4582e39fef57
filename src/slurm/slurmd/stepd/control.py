"""step.sock: how slurmd gives orders to a running step, also a slurmd that was started after it.

One JSON object a line and one for an answer. Only root and slurmd's own user are listened to. A connection may stay open: it ends when the
step does, which is how a re-attached slurmd learns of it.

    {"op": "status"}                                          → {"ok": true, "pid": 4711, "tasks": [4712], "ending": ""}
    {"op": "signal", "signal": 10, "first": false, "all": false}   to the tasks' process groups, their first processes, every process
    {"op": "limit", "deadline": 81234.5}                           the job's time limit comes at this moment of CLOCK_BOOTTIME; 0: never
    {"op": "suspend", "suspended": true, "grace": 2}               SIGTSTP, and after the grace no process of it runs; or they go on
    {"op": "notify", "text": "MESSAGE"}                            a line where its user looks
    {"op": "adopt", "pid": 4713}                                   of an extern step: this process is one of its own from now on
    {"op": "usage"}                                           → {"ok": true, "usage": {…}, "memory": 4096, "pids": [[4712, 0], [4713, -1]]}
    {"op": "attach", "early": "16030…"}                       with srun_line's descriptors of a sattach: what came on it already, in
    hexadecimal digits {"op": "terminate", "why": "timeout", "kill_wait": 30, "at": 1795221727.3}
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
from collections.abc import Callable

from slurm.slurmd.stepd.folder import SOCKET
from slurm.slurmd.stepd.loop import READ, Loop

_LONGEST = 65536
_LONGEST_ERROR = 200
_MOST_DESCRIPTORS = 4
_CREDENTIAL = struct.Struct("3i")


class Control:
    """Listens in the current folder and calls `obey(order, descriptors) -> answer` for each order; those that it leaves in the list are
    closed."""

    def __init__(self, loop: Loop, obey: Callable[[dict[str, object], list[int]], dict[str, object]]) -> None:
        self._loop = loop
        self._obey = obey
        self._partial: dict[int, bytes] = {}
        self._passed: dict[int, list[int]] = {}
        self._connections: dict[int, socket.socket] = {}
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._listener.bind(SOCKET)  # relative: the path of a deep spool does not fit into a socket address
        self._listener.listen(128)
        loop.watch(self._listener.fileno(), READ, self._accept)

    def close(self, *, leave: bool = False) -> None:
        """Stop listening; the socket's file is removed, or left where it is to show that the step had begun."""
        for descriptor in list(self._connections):
            self._drop(descriptor)
        self._loop.unwatch(self._listener.fileno())
        self._listener.close()
        if not leave:
            with contextlib.suppress(FileNotFoundError):  # somebody removed the step's folder
                os.unlink(SOCKET)

    def _accept(self, _: int) -> None:
        try:
            connection, _address = self._listener.accept()
        except OSError:  # it went again, or no descriptor is left: slurmd tries anew
            return
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIAL.size)
        if _CREDENTIAL.unpack(raw)[1] not in (0, os.geteuid()):
            connection.close()
            return
        connection.setblocking(False)
        descriptor = connection.fileno()
        self._connections[descriptor] = connection
        self._partial[descriptor] = b""
        self._passed[descriptor] = []
        self._loop.watch(descriptor, READ, lambda _events: self._read(descriptor))

    def _read(self, descriptor: int) -> None:
        try:
            data, passed, _, _ = socket.recv_fds(self._connections[descriptor], _LONGEST, _MOST_DESCRIPTORS)
            self._passed[descriptor] += passed
        except ConnectionError:
            data = b""
        *lines, rest = (self._partial[descriptor] + data).split(b"\n")
        if not data or len(rest) > _LONGEST:
            self._drop(descriptor)
            return
        self._partial[descriptor] = rest
        for line in lines:
            if descriptor not in self._connections:
                return  # it does not read its answers, and was hung up on
            self._answer(descriptor, line)

    def _answer(self, descriptor: int, line: bytes) -> None:
        try:
            order = json.loads(line)
            if not isinstance(order, dict):
                raise ValueError("no JSON object")
            answer = self._obey(order, self._passed[descriptor])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            answer = {"ok": False, "error": f"not an order: {str(error)[:_LONGEST_ERROR]}"}
        finally:
            _close(self._passed[descriptor])
        try:
            self._connections[descriptor].send(json.dumps(answer).encode() + b"\n")
        except OSError:
            self._drop(descriptor)

    def _drop(self, descriptor: int) -> None:
        self._loop.unwatch(descriptor)
        self._partial.pop(descriptor, None)
        _close(self._passed.pop(descriptor, []))
        connection = self._connections.pop(descriptor, None)
        if connection is not None:
            connection.close()


def _close(descriptors: list[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())
