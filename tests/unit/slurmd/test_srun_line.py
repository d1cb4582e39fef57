"""A step's connection to srun: plain on one machine; TLS from another, where nobody but the srun that asked is let in."""

from __future__ import annotations

import socket

import pytest

from slurm.model.errors import NotPermitted, SlurmError
from slurm.net.authority import Authority
from slurm.net.tls import Tls, Trust
from slurm.slurmd.stepd.srun_line import Proof, SrunLine

OURS = Authority(b"k" * 32, "test")
OTHERS = Authority(b"x" * 32, "test")


class Srun:
    """The other end: its socket and its TLS."""

    def __init__(self, authority: Authority, role: str, name: str, trusted: Authority = OURS) -> None:
        self.near, far = socket.socketpair()
        self.far = far
        credentials = authority.credentials(role, name)._replace(authorities=trusted.certificate)
        self.tls = Tls(Trust(credentials), server=False)

    def line(self, *, users: tuple[int, ...] = (1001,), revoked: tuple[str, ...] = ()) -> SrunLine:
        pair = OURS.issue("slurmd", "cn01")
        proof = Proof("test", pair.certificate.decode(), pair.key.decode(), OURS.certificate.decode(), revoked, users)
        found = SrunLine.of([self.far.detach(), proof.to_memory()])
        assert found is not None
        return found

    def shake(self, line: SrunLine) -> bytes:
        """Both sides go on until the line is ready; what it read."""
        self.near.setblocking(False)
        read = b""
        for _ in range(6):
            self.tls.handshake()
            self.near.send(self.tls.outgoing())
            read += line.take()
            line.flush()
            try:
                self.tls.feed(self.near.recv(65536))
            except BlockingIOError:
                continue
        return read


def test_a_line_on_one_machine_is_plain_and_ready() -> None:
    near, far = socket.socketpair()
    line = SrunLine.of([far.detach()])
    assert line is not None and line.ready and SrunLine.of([]) is None
    line.put(b"frame")
    line.flush()
    assert near.recv(100) == b"frame" and not line.unsent
    near.send(b"input")
    assert line.take() == b"input" and line.take() == b""
    near.close()
    with pytest.raises(OSError, match="closed"):
        line.take()
    line.close()


def test_what_was_said_before_srun_proved_itself_reaches_it_afterwards_and_nothing_is_readable_on_the_way() -> None:
    srun = Srun(OURS, "user", "1001")
    line = srun.line()
    line.put(b"secret frame")
    line.flush()
    assert not line.ready and line.unsent and not line.blocked
    srun.shake(line)
    assert line.ready and srun.tls.party is not None and str(srun.tls.party) == "slurmd cn01"
    assert srun.tls.read() == b"secret frame"
    line.put(b"more")
    line.flush()
    wire = srun.near.recv(65536)
    assert b"more" not in wire
    srun.tls.feed(wire)
    assert srun.tls.read() == b"more" and not line.unsent
    srun.tls.write(b"input")
    srun.near.send(srun.tls.outgoing())
    assert line.take() == b"input"
    line.close()


def test_the_beginning_that_slurmd_read_with_the_ticket_is_not_lost() -> None:
    srun = Srun(OURS, "user", "1001")
    line = srun.line()
    srun.tls.handshake()
    line.feed(srun.tls.outgoing())
    assert line.decoded() == b"" and line.blocked
    line.flush()
    srun.tls.feed(srun.near.recv(65536))
    srun.shake(line)
    assert line.ready
    line.close()


@pytest.mark.parametrize(("authority", "role", "name", "said"), [
    (OURS, "user", "1002", "waits for a srun of uid 1001, not for user 1002"),
    (OURS, "slurmd", "1001", "not for slurmd 1001"),
    (OTHERS, "user", "1001", "not issued under a key that is trusted here")])
def test_nobody_else_is_let_in(authority: Authority, role: str, name: str, said: str) -> None:
    srun = Srun(authority, role, name)
    line = srun.line()
    line.put(b"secret")
    with pytest.raises(SlurmError) as caught:
        srun.shake(line)
    assert isinstance(caught.value, NotPermitted) and said in caught.value.hints[0]
    assert not line.ready
    line.close()


def test_garbage_after_the_ticket_is_told_in_a_sentence() -> None:
    srun = Srun(OURS, "user", "1001")
    line = srun.line()
    srun.near.send(b"GET / HTTP/1.0\r\n\r\n")
    with pytest.raises(SlurmError, match="not the TLS of slurm-py"):
        line.take()
    line.close()
