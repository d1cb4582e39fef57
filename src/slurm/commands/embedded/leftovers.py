"""Steps that outlived their daemons: found in the nodes' spools, and ended as slurmd would have ended them.

After a `kill -9` of the daemons nobody else can: `slurm down` promises that nothing is left running.
"""

from __future__ import annotations

import glob
import json
import os
import socket
import time

from slurm.net.discovery import Instance
from slurm.net.endpoint import connected, unix

ORDER_SECONDS = 5.0
_SPARE_SECONDS = 10.0


def supervisors(instance: Instance, nodes: list[str]) -> list[str]:
    """The sockets of the slurmstepds that live."""
    found = []
    for node in nodes:
        for path in sorted(glob.glob(os.path.join(glob.escape(instance.spool(node)), "steps", "*", "step.sock"))):
            connection = _reach(path)
            if connection is not None:
                connection.close()
                found.append(path)
    return found


def end_all(instance: Instance, nodes: list[str], kill_wait: int) -> tuple[int, int]:
    """Have every step ended and wait until it has: how many there were, and how many still live after `kill_wait` and some seconds."""
    found = supervisors(instance, nodes)
    for path in found:
        _order(path, {"op": "terminate", "why": "cancelled", "kill_wait": kill_wait, "at": time.time()})
    deadline = time.monotonic() + kill_wait + _SPARE_SECONDS
    left = found
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = supervisors(instance, nodes)
    return len(found), len(left)


def _reach(path: str) -> socket.socket | None:
    try:
        return connected(unix(path), ORDER_SECONDS)
    except OSError:  # its slurmstepd has died: the next slurmd reports that
        return None


def _order(path: str, order: dict[str, object]) -> None:
    connection = _reach(path)
    if connection is None:
        return
    with connection:
        connection.settimeout(ORDER_SECONDS)
        try:
            connection.sendall(json.dumps(order).encode() + b"\n")
            connection.recv(65536)
        except OSError:  # it ended by itself meanwhile
            return
