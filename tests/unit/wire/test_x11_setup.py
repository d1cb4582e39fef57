"""What X clients say first."""

from __future__ import annotations

import pytest

from slurm.model.errors import ProtocolError
from slurm.wire import x11_setup

LITTLE = b"l\0\x0b\0\0\0\x05\0\x03\0\0\0" + b"proof\0\0\0" + b"abc\0"
BIG = b"B\0\0\x0b\0\0\0\x05\0\x03\0\0" + b"proof\0\0\0" + b"abc\0"


@pytest.mark.parametrize("said", [LITTLE, BIG])
def test_it_is_taken_when_it_is_all_there_and_what_follows_stays(said: bytes) -> None:
    for length in range(len(said)):
        assert x11_setup.taken(bytearray(said[:length])) is None
    come = bytearray(said + b"more")
    setup = x11_setup.taken(come)
    assert setup is not None and (setup.name, setup.data, come) == (b"proof", b"abc", b"more")
    assert x11_setup.shown(setup) == said
    longer = x11_setup.taken(bytearray(x11_setup.shown(setup._replace(data=b"0123456789"))))
    assert longer is not None and longer.data == b"0123456789"


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1", b"l\0\x0b\0\0\0\xff\xff\xff\xff\0\0"])
def test_what_no_x_client_says_is_refused(said: bytes) -> None:
    with pytest.raises(ProtocolError):
        x11_setup.taken(bytearray(said))


def test_messages_about_connections() -> None:
    assert x11_setup.unpack(x11_setup.pack(7, x11_setup.DATA, b"x")) == (7, b"D", b"x")
    for wrong in (b"", b"\0\0\0\1", b"\0\0\0\1Z"):
        with pytest.raises(ProtocolError):
            x11_setup.unpack(wrong)
