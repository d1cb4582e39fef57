"""What a batch job writes, read piece by piece: asked of slurmctld, which asks the node that runs or ran the script."""

from __future__ import annotations

from typing import Annotated

from slurm.model.bounds import JobText, Path, Text, UserId, Whole
from slurm.wire.message import Message

LARGEST_PIECE = 64 * 1024
"""Bytes."""
STREAMS = ("stdout", "stderr")
Stream = Annotated[str, Text(words=STREAMS)]
Offset = Annotated[int, Whole(0, 2**62)]
Number = Annotated[int, Whole(0, 2**53)]
Complaint = Annotated[str, Text(4_096, plain=False)]


class ReadOutput(Message):
    """A piece of what a job's script writes, from byte `offset` of its file on → OutputRead. For its owner and operators; what root's jobs
    write, for root."""

    job_id: JobText
    stream: Stream = "stdout"
    offset: Offset = 0


class OutputRead(Message, omit_defaults=False):
    """`data` begins at `offset`, which is 0 where the file has become shorter than what was asked for. `size`: of the file.

    `ended`: nothing more will be written once all of `size` is read. A job that has not begun has nothing.
    """

    data: bytes = b""
    offset: int = 0
    size: int = 0
    path: str = ""
    ended: bool = False


class ReadFile(Message):
    """Read a piece of a regular file as a user → FileRead, soon."""

    number: Number
    path: Path
    uid: UserId
    gid: UserId
    user: Annotated[str, Text(256)]
    offset: Offset = 0


class FileRead(Message):
    """Answer to ReadFile; `error`: why there is nothing."""

    number: Number
    data: Annotated[bytes, Text(LARGEST_PIECE)] = b""
    offset: Offset = 0
    size: Offset = 0
    error: Complaint = ""
