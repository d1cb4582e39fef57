"""Endpoints: read and shown, and frames put together again from any pieces."""

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm.model.errors import InvalidRequest, ProtocolError
from slurm.net.endpoint import Endpoint, beside, mark_of, parse, tcp, unix
from slurm.net.framing import FrameBuffer
from slurm.wire import frames


@pytest.mark.parametrize(("text", "endpoint"), [
    ("unix:/run/slurmctld.sock", unix("/run/slurmctld.sock")),
    ("tcp://node1:6818", tcp("node1", 6818)),
    ("tcp://[::1]:6818", tcp("::1", 6818)),
])
def test_an_endpoint_is_read_and_shown_alike(text: str, endpoint: Endpoint) -> None:
    assert parse(text) == endpoint
    assert str(endpoint) == text
    assert endpoint.is_unix == text.startswith("unix")


@pytest.mark.parametrize("text", ["", "unix:", "unix:relative", "node1:6818", "tcp://", "tcp://a", "tcp://:1", "tcp://a:x", "tcp://a:70000", "tcp://::1:1"])
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="Invalid endpoint"):
        parse(text)


@given(st.lists(st.binary(max_size=50), max_size=5), st.data())
def test_frames_come_out_whole_however_the_stream_is_cut(payloads: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(frames.pack(frames.JSON, payload) for payload in payloads)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    buffer = FrameBuffer()
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        buffer.feed(stream[start:end])
        while (frame := buffer.take()) is not None:
            found.append(frame[1])
    assert found == payloads
    assert len(buffer) == 0


@given(st.binary(min_size=1, max_size=30).filter(lambda data: not frames.MAGIC.startswith(data[:2]) and not data.startswith(frames.MAGIC)))
def test_what_begins_wrong_is_refused_at_its_first_bytes(data: bytes) -> None:
    buffer = FrameBuffer()
    buffer.feed(data)
    with pytest.raises(ProtocolError):
        buffer.take()


def test_a_socket_is_known_on_its_own_machine_only_and_only_while_it_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "d.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        mark = mark_of(str(path))
        assert beside(mark) == unix(str(path))
        boot, rest = mark.split(" ", 1)
        assert beside(f"{'0' * len(boot)} {rest}") is None, "another machine"
        path.rename(tmp_path / "old")  # it keeps its inode, so that the next has another
        assert beside(mark) is None
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
            assert beside(mark) is None
    assert beside("") is None and beside("nonsense") is None
