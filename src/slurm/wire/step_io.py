"""Step input and output: the small binary messages between srun (or sattach) and the slurmstepd of each node, inside frames of codec "B".

    byte 0     kind (below)
    bytes 1-4  task rank, big-endian; ALL_TASKS: every task of the node
    bytes 5-   data
"""

from __future__ import annotations

import struct

from slurm.model.errors import ProtocolError
from slurm.wire import frames

STDIN = 1  # srun → stepd: data for a task's standard input; empty data: end of input
STDOUT = 2  # stepd → srun: data; empty: the task closed it
STDERR = 3
STARTED = 4  # stepd → srun: JSON {"pids": {rank: pid}} when all tasks of the node run
EXITED = 5  # stepd → srun: JSON {"status": wait status, "oom": bool} of one task
# slurmd or stepd → srun: JSON {"message": ..., "name": Slurm's error name, "hints": [...]}: the step could not start on this node
FAILED = 6
SIGNAL = 7  # srun → stepd: JSON {"signal": number}, or {"end": "task_failure"|"cancelled"|...} to end the step's tasks on this node
WINDOW = 8  # srun → stepd: JSON {"rows": n, "cols": n} for a pseudo terminal
NOTICE = 9  # stepd → srun: text for srun's standard error, whole lines ("... *** STEP 1.0 ON cn01 CANCELLED AT ...")
DONE = 10  # stepd → srun: all tasks ended, all output sent; the connection closes
ABORTED = 11  # stepd → srun: JSON {"why": "timeout"|"cancelled"|...}: the step is being ended from outside
EXCHANGE = 12  # both ways: a piece of what MPI tasks exchange at a fence; its first byte is one of those below
X11 = 13  # both ways: a message of wire.x11_setup about an X client of this node
PIECE, LAST, ABORTING = b"P", b"L", b"A"
"""More to come; the last piece; stepd → srun only: JSON {"rank": ...}, a task has aborted the whole step."""
ALL_TASKS = 0xFFFFFFFF
PREFIX = struct.Struct("!BI")
TICKET_MARK = b"TKT1"
"""How the second connection of a step on another machine begins, before TLS: neither a TLS record nor a frame does."""
TICKET_BYTES = 32
TICKET_SIZE = len(TICKET_MARK) + TICKET_BYTES


def pack(kind: int, task: int, data: bytes = b"") -> bytes:
    """The payload of one step message."""
    return PREFIX.pack(kind, task) + data


def ticket(secret: bytes) -> bytes:
    """The beginning of a connection that was announced by a StepTicket; ProtocolError for a secret of another size."""
    if len(secret) != TICKET_BYTES:
        raise ProtocolError(message="a step's ticket has another size")
    return TICKET_MARK + secret


def unpack(payload: bytes) -> tuple[int, int, bytes]:
    """(kind, task, data); ProtocolError when it is too short or of unknown kind."""
    if len(payload) < PREFIX.size:
        raise ProtocolError(message="step message is too short")
    kind, task = PREFIX.unpack_from(payload)
    if not STDIN <= kind <= X11:
        raise ProtocolError(message=f"unknown step message kind {kind}")
    return kind, task, payload[PREFIX.size:]


def taken(buffer: bytearray, most: int) -> tuple[int, int, bytes] | None:
    """The first whole step message of what has come, taken out of it; None while there is none.

    ProtocolError for one of more than `most` bytes.
    """
    if len(buffer) < frames.HEADER_SIZE:
        return None
    _, length = frames.unpack_header(bytes(buffer[:frames.HEADER_SIZE]), most)
    whole = frames.HEADER_SIZE + length
    if len(buffer) < whole:
        return None
    found = unpack(bytes(buffer[frames.HEADER_SIZE:whole]))
    del buffer[:whole]
    return found
