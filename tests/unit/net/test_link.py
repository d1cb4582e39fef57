"""Links: over sockets and in memory they come up, carry messages, break, and come back."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import uvloop

from slurm.net import endpoint as endpoints
from slurm.net.authority import Authority
from slurm.net.endpoint import Endpoint
from slurm.net.link import Link, SocketLink
from slurm.net.memory import Fate, MemoryNetwork
from slurm.net.peer import Peer
from slurm.net.server import Server
from slurm.net.tls import Party, Trust
from slurm.wire import frames


class Diary:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.entries: list[str] = []

    def on_up(self) -> None:
        """Note it."""
        self.entries.append("up")

    def on_message(self, codec: int, payload: bytes) -> None:
        """Note it."""
        self.entries.append(payload.decode())

    def on_down(self, why: str) -> None:
        """Note it."""
        self.entries.append("down")


async def until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not check():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.005)


def frame(text: str) -> bytes:
    return frames.pack(frames.MSGPACK, text.encode())


def shout(peer: Peer, codec: int, payload: bytes) -> None:
    if payload == b"bye":
        peer.close()
    else:
        peer.send(frames.pack(codec, payload.upper()))


async def comes_back(link: Link, diary: Diary) -> None:
    assert not link.send(frame("too early"))
    link.start()
    await until(lambda: link.up)
    assert link.send(frame("hello"))
    await until(lambda: "HELLO" in diary.entries)
    link.send(frame("bye"))
    await until(lambda: diary.entries[-2:] == ["down", "up"])
    link.reconnect("too silent")
    await until(lambda: diary.entries.count("up") == 3)
    link.send(frame("again"))
    await until(lambda: "AGAIN" in diary.entries)
    await link.close()
    assert not link.up
    assert not link.send(frame("too late"))
    assert diary.entries == ["up", "HELLO", "down", "up", "down", "up", "AGAIN"]


def test_a_link_over_a_unix_socket_comes_back(tmp_path: Path) -> None:
    place = endpoints.unix(str(tmp_path / "x.sock"))

    async def main() -> Diary:
        server, diary = Server(shout), Diary()
        await server.listen(place)
        await comes_back(SocketLink([place], diary), diary)
        await server.close()
        return diary

    assert asyncio.run(main()).entries
    assert uvloop.run(main()).entries


def test_a_link_in_memory_behaves_the_same() -> None:
    async def main() -> list[str]:
        network, diary = MemoryNetwork(), Diary()
        network.serve("slurmctld", shout)
        await comes_back(network.link("slurmctld", diary), diary)
        assert not network.errors
        return diary.entries

    assert len(asyncio.run(main())) == 7


def test_a_link_waits_for_a_server_that_is_not_there_yet_and_for_one_that_restarts(tmp_path: Path) -> None:
    place = endpoints.unix(str(tmp_path / "x.sock"))

    async def main() -> None:
        diary = Diary()
        link = SocketLink([endpoints.unix(str(tmp_path / "other.sock")), place], diary)
        link.start()
        await asyncio.sleep(0.05)
        assert not link.up
        for _ in range(2):
            server = Server(shout)
            await server.listen(place)
            await until(lambda: link.up)
            link.send(frame("hello"))
            await until(lambda: diary.entries[-1] == "HELLO")
            await server.close()
            await until(lambda: diary.entries[-1] == "down")
        await link.close()
        assert diary.entries == ["up", "HELLO", "down"] * 2

    uvloop.run(main())


def test_a_link_over_tcp_proves_who_it_is_anew_each_time() -> None:
    authority = Authority(b"k" * 32, "lab")
    seen: list[tuple[int, str, bool]] = []

    def note(peer: Peer, codec: int, payload: bytes) -> None:
        assert peer.party is not None
        seen.append((peer.identity.uid, str(peer.party), peer.local))
        peer.close()

    async def main() -> None:
        server, diary = Server(note, trust=Trust(authority.credentials("slurmctld", "head"))), Diary()
        place: Endpoint = await server.listen(endpoints.tcp("127.0.0.1", 0))
        link = SocketLink([place], diary, trust=Trust(authority.credentials("slurmd", "cn01")))
        link.start()
        for count in (1, 2):
            await until(lambda: link.up)
            link.send(frame("hello"))
            await until(lambda count=count: len(seen) == count and not link.up)  # type: ignore[misc]
        await link.close()
        await server.close()

    uvloop.run(main())
    assert seen == [(-1, "slurmd cn01", False)] * 2


def test_garbage_from_a_server_breaks_the_link_and_nothing_else(tmp_path: Path) -> None:
    async def main() -> list[str]:
        async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_unix_server(babble, str(tmp_path / "x.sock"))
        diary = Diary()
        link = SocketLink([endpoints.unix(str(tmp_path / "x.sock"))], diary)
        link.start()
        await until(lambda: diary.entries.count("down") >= 2)
        await link.close()
        server.close()
        return diary.entries

    assert asyncio.run(main())[:4] == ["up", "down", "up", "down"]


def test_messages_in_memory_can_be_lost_doubled_and_cut() -> None:
    fates = [Fate.LOST, Fate.TWICE, Fate.CUT, Fate.ARRIVES, Fate.ARRIVES]
    heard: list[str] = []

    async def main() -> None:
        network, diary = MemoryNetwork(), Diary()
        network.fate = lambda from_link, codec, payload: fates.pop(0)
        network.serve("d", lambda peer, codec, payload: heard.append(payload.decode()))
        link = network.link("d", diary)
        link.start()
        await until(lambda: link.up)
        for text in ("lost", "twice", "cut"):
            link.send(frame(text))
        await until(lambda: diary.entries == ["up", "down", "up"])
        link.send(frame("arrives"))
        await until(lambda: heard[-1:] == ["arrives"])
        await link.close()

    asyncio.run(main())
    assert heard in (["twice", "twice", "arrives"], ["arrives"])


def test_a_server_in_memory_that_dies_takes_its_links_down_until_it_is_back() -> None:
    async def main() -> list[str]:
        network, diary = MemoryNetwork(), Diary()
        closed: list[str] = []

        async def serve(peer: Peer, codec: int, payload: bytes) -> None:
            peer.on_close(lambda: closed.append("closed"))
            raise ValueError("a bug")

        network.serve("d", serve)
        link = network.link("d", diary, uid=1001, party=Party("lab", "slurmd", "cn01"))
        link.start()
        await until(lambda: link.up)
        assert link.peer is not None
        assert (link.peer.identity.uid, link.peer.party, link.peer.local) == (1001, Party("lab", "slurmd", "cn01"), False)
        link.send(frame("x"))
        await until(lambda: bool(network.errors))
        network.stop("d")
        await until(lambda: closed == ["closed"])
        await asyncio.sleep(0.03)
        assert not link.up
        network.serve("d", shout)
        await until(lambda: link.up)
        await link.close()
        return diary.entries

    assert asyncio.run(main()) == ["up", "down", "up"]


def test_a_link_that_is_sent_elsewhere_goes_to_the_next_place_and_stays_there(tmp_path: Path) -> None:
    first, second = (endpoints.unix(str(tmp_path / f"{name}.sock")) for name in "ab")

    async def main() -> list[str]:
        called: list[str] = []
        diary = Diary()

        def named(name: str) -> Callable[[Peer, int, bytes], None]:
            return lambda peer, codec, payload: called.append(name)

        servers = [Server(named("a")), Server(named("b"))]
        await servers[0].listen(first)
        await servers[1].listen(second)
        link = SocketLink((first, second), diary)
        link.start()
        await until(lambda: link.up)
        link.send(frame("x"))
        await until(lambda: called == ["a"])
        link.elsewhere("it stands by")
        await until(lambda: diary.entries == ["up", "down", "up"])
        link.send(frame("x"))
        await until(lambda: called == ["a", "b"])
        link.reconnect("too silent")
        await until(lambda: diary.entries == ["up", "down", "up", "down", "up"])
        link.send(frame("x"))
        await until(lambda: len(called) == 3)
        await link.close()
        for server in servers:
            await server.close()
        return called

    assert uvloop.run(main()) == ["a", "b", "b"]


def test_what_a_silent_side_says_after_it_was_left_is_late_and_answered(tmp_path: Path) -> None:
    first = endpoints.unix(str(tmp_path / "a.sock"))

    async def main() -> tuple[list[str], list[str], list[str]]:
        heard: list[str] = []
        late: list[str] = []
        peers: list[Peer] = []
        diary = Diary()

        def silent(peer: Peer, codec: int, payload: bytes) -> None:
            peers.append(peer)
            heard.append(payload.decode())

        def on_late(codec: int, payload: bytes) -> bytes:
            late.append(payload.decode())
            return frame("overruled")

        servers = [Server(silent)]
        await servers[0].listen(first)
        link = SocketLink((first,), diary, late=on_late)
        link.start()
        await until(lambda: link.up)
        link.send(frame("are you there"))
        await until(lambda: bool(peers))
        link.leave("nothing was heard")
        await until(lambda: diary.entries == ["up", "down", "up"])
        link.send(frame("and now"))
        await until(lambda: heard == ["are you there", "and now"])
        peers[0].send(frame("launch"))
        await until(lambda: heard == ["are you there", "and now", "overruled"])
        await link.close()
        for server in servers:
            await server.close()
        return heard, late, diary.entries

    heard, late, entries = uvloop.run(main())
    assert late == ["launch"]
    assert "launch" not in entries
