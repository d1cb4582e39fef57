"""The bytes between a step and its srun: plain on this machine, where the kernel vouched for srun; TLS from another one.

TLS begins here, not in slurmd: slurmd took the launch over a connection of its own and may be restarted while the step runs. It hands over
the bare socket, with a descriptor of what this end proves itself by (`Proof`). Not here: what the bytes mean (`io`).
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from slurm.model.errors import NotPermitted

_CHUNK = 65536
_FLUSHED = 1 << 18


class Cipher(Protocol):
    """net.tls.Tls; its module is loaded only where it is needed."""

    finished: bool
    party: Any

    def feed(self, data: bytes) -> None:
        """Take what came."""

    def handshake(self) -> bool:
        """Go on with the handshake; whether it is over."""
        ...

    def read(self) -> bytes:
        """What came, plain."""
        ...

    def write(self, plain: bytes) -> None:
        """Take what is to be sent."""

    def outgoing(self) -> bytes:
        """What must go to the socket."""
        ...


class Proof(NamedTuple):
    """What the node proves itself by (PEM), whom it trusts, and the uids whose srun is let in."""

    cluster: str
    certificate: str
    key: str
    authorities: str
    revoked: Sequence[str]
    users: Sequence[int]

    def to_memory(self) -> int:
        """A descriptor from which `SrunLine.of` reads it: no key comes onto a disk."""
        descriptor = os.memfd_create("step-proof", os.MFD_CLOEXEC)
        os.write(descriptor, json.dumps(self).encode())
        return descriptor


class SrunLine:
    """The connection to srun; `ready` once it may be spoken on. OSError from `flush` and `take` when it has ended, SlurmError from `take`
    when the other end is not who it should be."""

    def __init__(self, stream: socket.socket, cipher: Cipher | None = None, users: Sequence[int] = ()) -> None:
        stream.setblocking(False)
        self.ready = cipher is None
        self._stream = stream
        self._cipher = cipher
        self._users = users
        self._outgoing = bytearray()
        self._held = bytearray()  # frames for a srun that has not proved itself yet

    @classmethod
    def of(cls, descriptors: Sequence[int]) -> SrunLine | None:
        """What came with the order to start a step besides its journal: nothing, srun's connection, or that and a proof."""
        if not descriptors:
            return None
        stream = socket.socket(fileno=descriptors[0])
        if len(descriptors) == 1:
            return cls(stream)
        from slurm.net.tls import Credentials, Pair, Tls, Trust  # only here, for what it takes; the zygote has it loaded where there is TCP

        text = os.pread(descriptors[1], os.fstat(descriptors[1]).st_size, 0)
        os.close(descriptors[1])
        proof = Proof(*json.loads(text))
        trust = Trust(Credentials(
            proof.cluster, Pair(proof.certificate.encode(), proof.key.encode()), proof.authorities.encode(), frozenset(proof.revoked)))
        return cls(stream, Tls(trust, server=True), proof.users)

    def fileno(self) -> int:
        """For the loop."""
        return self._stream.fileno()

    def close(self) -> None:
        """Hang up."""
        self._stream.close()

    @property
    def unsent(self) -> int:
        """Bytes that wait."""
        return len(self._outgoing) + len(self._held)

    @property
    def blocked(self) -> bool:
        """Whether there is something that the socket did not take yet."""
        return bool(self._outgoing)

    def put(self, frame: bytes) -> None:
        """Queue a frame."""
        if self._cipher is None:
            self._outgoing += frame
        elif not self.ready:
            self._held += frame
        else:
            self._cipher.write(frame)
            self._outgoing += self._cipher.outgoing()

    def flush(self) -> None:
        """Send what the socket takes."""
        try:
            while self._outgoing:
                del self._outgoing[:self._stream.send(memoryview(self._outgoing)[:_FLUSHED].tobytes())]
        except BlockingIOError:
            return  # the loop says when there is room again

    def take(self) -> bytes:
        """Plain bytes that have come, b"" when none have."""
        try:
            data = self._stream.recv(_CHUNK)
        except BlockingIOError:
            return b""
        if not data:
            raise ConnectionResetError("srun closed the connection")
        if self._cipher is None:
            return data
        self._cipher.feed(data)
        return self.decoded()

    def feed(self, early: bytes) -> None:
        """What slurmd read beyond the ticket: the beginning of the handshake, or nothing."""
        if self._cipher is not None:
            self._cipher.feed(early)

    def decoded(self) -> bytes:
        """The plain bytes in what came over TLS."""
        assert self._cipher is not None
        try:
            if not self.ready:
                if not self._cipher.handshake():
                    return b""
                self._admit(self._cipher)
            return self._cipher.read()
        finally:
            self._outgoing += self._cipher.outgoing()

    def _admit(self, cipher: Cipher) -> None:
        """The handshake is over: let in whom slurmd spoke with."""
        party = cipher.party
        if party is None or party.role != "user" or party.name not in map(str, self._users):
            raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=[f"the step waits for a srun of uid {self._users[0]}, not for {party}"])
        self.ready = True
        cipher.write(bytes(self._held))
        self._held.clear()
