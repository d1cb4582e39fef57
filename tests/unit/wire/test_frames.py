"""Frames and step messages: what is packed comes back, and what is not ours is refused with a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm.model.errors import ProtocolError
from slurm.wire import frames, step_io


@given(st.sampled_from(sorted(frames.CODECS)), st.binary(max_size=2000))
def test_a_frame_comes_back(codec: int, payload: bytes) -> None:
    frame = frames.pack(codec, payload)
    assert frames.unpack_header(frame[:frames.HEADER_SIZE]) == (codec, len(payload))
    assert frame[frames.HEADER_SIZE:] == payload


@given(st.binary(min_size=frames.HEADER_SIZE, max_size=frames.HEADER_SIZE))
def test_any_header_is_either_ours_or_refused(header: bytes) -> None:
    try:
        codec, length = frames.unpack_header(header)
    except ProtocolError as error:
        assert error.message
    else:
        assert codec in frames.CODECS
        assert length <= frames.MAX_PAYLOAD


def test_a_payload_beyond_the_limit_is_not_packed() -> None:
    with pytest.raises(ProtocolError, match="longer than the limit"):
        frames.pack(frames.JSON, bytes(frames.MAX_PAYLOAD + 1))


@pytest.mark.parametrize(("header", "sentence"), [
    (b"GET / HT", "these bytes are not slurm-py's protocol"),
    (b"SP\x03J\0\0\0\0", "Incompatible versions of client and server code"),
    (b"SP\x01X\0\0\0\0", "unknown codec 88"),
    (b"SP\x01J\xff\xff\xff\xff", "a message of 4294967295 bytes is longer than the limit of 67108864"),
])
def test_what_is_not_ours_is_refused_with_a_sentence(header: bytes, sentence: str) -> None:
    with pytest.raises(ProtocolError, match=sentence):
        frames.unpack_header(header)


def test_a_longer_message_than_allowed_is_refused_by_its_header() -> None:
    with pytest.raises(ProtocolError, match="longer than the limit of 10"):
        frames.unpack_header(frames.pack(frames.JSON, bytes(11))[:frames.HEADER_SIZE], limit=10)


@given(st.integers(step_io.STDIN, step_io.EXCHANGE), st.integers(0, step_io.ALL_TASKS), st.binary(max_size=100))
def test_a_step_message_comes_back(kind: int, task: int, data: bytes) -> None:
    assert step_io.unpack(step_io.pack(kind, task, data)) == (kind, task, data)


@pytest.mark.parametrize("payload", [b"", b"\x01\0\0\0", b"\0\0\0\0\0", b"\xff\0\0\0\0abc"])
def test_a_step_message_that_is_none_is_refused(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        step_io.unpack(payload)
