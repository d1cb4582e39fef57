"""From the pieces in which a stream arrives to whole frames. No sockets here; the commands import it."""

from __future__ import annotations

from slurm.wire import frames


class FrameBuffer:
    """Bytes that came and were not taken yet, never more than one read beyond one frame of `limit` bytes."""

    __slots__ = ("_bytes", "limit", "version")

    def __init__(self, limit: int = frames.MAX_PAYLOAD) -> None:
        self._bytes = bytearray()
        self.limit = limit
        self.version = frames.VERSION
        """The protocol version of the frame that was taken last."""

    def __len__(self) -> int:
        return len(self._bytes)

    def feed(self, data: bytes) -> None:
        """Add what was read."""
        self._bytes += data

    def take(self) -> tuple[int, bytes] | None:
        """The next (codec, payload), None while it is not whole; ProtocolError as soon as its header shows that it is none of ours."""
        held = self._bytes
        if len(held) < frames.HEADER_SIZE:
            if held and not frames.MAGIC.startswith(held[:len(frames.MAGIC)]) and not held.startswith(frames.MAGIC):
                # Do not wait for the rest of a header that is wrong already.
                frames.unpack_header(bytes(held).ljust(frames.HEADER_SIZE, b"\0"), self.limit)
            return None
        codec, length = frames.unpack_header(bytes(held[:frames.HEADER_SIZE]), self.limit)
        end = frames.HEADER_SIZE + length
        if len(held) < end:
            return None
        self.version = held[2]
        payload = bytes(memoryview(held)[frames.HEADER_SIZE:end])
        del held[:end]
        return codec, payload

    def rest(self) -> bytes:
        """Everything that was not taken; empties the buffer."""
        held, self._bytes = bytes(self._bytes), bytearray()
        return held
