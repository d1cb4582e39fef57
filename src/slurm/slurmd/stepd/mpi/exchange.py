"""A fence across nodes: what this node gives goes to srun in pieces, what all nodes gave comes back in pieces. srun carries it and reads
nothing.

    stepd → srun   b"P" + piece   more of what this node gives
                   b"L" + piece   the last of it
                   b"A" + JSON {"rank": n}   a task aborted the step: what becomes of it is what the step ended with
    srun → stepd   b"P" + piece, b"L" + piece: what the nodes gave, in their order, one after the other
"""

from __future__ import annotations

from collections.abc import Iterator

from slurm.wire.step_io import ABORTING, LAST, PIECE

PIECE_BYTES = 1 << 16
MOST_BYTES = 32 << 20


def pieces(whole: bytes) -> Iterator[bytes]:
    """What is to be sent for it, one after the other."""
    for start in range(0, max(1, len(whole)), PIECE_BYTES):
        last = start + PIECE_BYTES >= len(whole)
        yield (LAST if last else PIECE) + whole[start:start + PIECE_BYTES]


def aborting(rank: int) -> bytes:
    """The news that a task aborted the step."""
    return ABORTING + b'{"rank": %d}' % rank


class Collected:
    """Puts pieces together."""

    def __init__(self) -> None:
        self._held = bytearray()

    def take(self, data: bytes) -> bytes | None:
        """The whole, with its last piece. ValueError for what is no piece, or too much."""
        if data[:1] not in (PIECE, LAST):
            raise ValueError("no piece of an exchange")
        self._held += data[1:]
        if len(self._held) > MOST_BYTES:
            raise ValueError(f"an exchange of more than {MOST_BYTES >> 20} MiB")
        if data[:1] == PIECE:
            return None
        whole = bytes(self._held)
        self._held.clear()
        return whole
