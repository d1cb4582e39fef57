"""Servers and links over TLS: who is let in, what a stranger costs, and what happens when trust is withdrawn."""

import asyncio
import logging
import os
import socket
import time
from pathlib import Path

import msgspec
import pytest
import uvloop

from slurm.model.errors import NotPermitted, ProtocolError
from slurm.net import endpoint as endpoints
from slurm.net import link as links
from slurm.net.authority import Authority
from slurm.net.client import Connection
from slurm.net.endpoint import Endpoint
from slurm.net.gate import Gate, Limits
from slurm.net.handshakes import STRANGERS_PART, TURN_SECONDS, Handshakes
from slurm.net.link import SocketLink, Wanted
from slurm.net.peer import Peer
from slurm.net.server import Server
from slurm.net.shares import Share
from slurm.net.tls import Credentials, Tls, Trust
from slurm.wire import frames
from tests.unit.net.notary import Notary
from tests.unit.net.serving import serving
from tests.unit.net.test_link import Diary, frame, shout, until

AUTHORITY = Authority(b"k" * 32, "lab")
HERE = endpoints.tcp("127.0.0.1", 0)


def trust(role: str, name: str, authority: Authority = AUTHORITY) -> Trust:
    return Trust(authority.credentials(role, name))


class Blocking:
    """A client as an attacker would write it: a socket and a Tls."""

    def __init__(self, place: Endpoint, credentials: Trust) -> None:
        self.stream = socket.create_connection((place.host, place.port), 20)
        self.tls = Tls(credentials, server=False)
        while not self.tls.handshake():
            self.flush()
            self.tls.feed(self.stream.recv(65536))
        self.flush()

    def flush(self) -> None:
        self.stream.sendall(self.tls.outgoing())

    def send(self, codec: int, payload: bytes) -> None:
        self.tls.write(frames.pack(codec, payload))
        self.flush()

    def answer(self) -> bytes:
        """Everything until one frame or the end."""
        plain = b""
        while not plain:
            data = self.stream.recv(65536)
            if not data:
                break
            self.tls.feed(data)
            plain = self.tls.read()
        return plain


def false_controller(credentials: Trust, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> tuple[list[bytes], Diary, str]:
    """What a link of nd1 gives away to a server with these credentials: messages that it sent, what it did, what it logged."""
    heard: list[bytes] = []
    diary = Diary()

    async def main() -> None:
        server = Server(lambda peer, codec, payload: heard.append(payload), trust=credentials)
        place = await server.listen(HERE)
        link = SocketLink([place], diary, trust=trust("slurmd", "nd1"))
        link.start()
        await until(lambda: "cannot connect" in caplog.text)
        await link.close()
        await server.close()

    uvloop.run(main())
    return heard, diary, caplog.text


def test_a_false_controller_is_told_nothing_and_its_orders_are_not_heard(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    heard, diary, said = false_controller(trust("slurmctld", "head", Authority(b"x" * 32, "lab")), tmp_path, caplog)
    assert not heard and not diary.entries
    assert "not issued under a key that is trusted here" in said


def test_a_stolen_node_certificate_makes_no_controller(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    heard, diary, said = false_controller(trust("slurmd", "nd2"), tmp_path, caplog)
    assert not heard and not diary.entries
    assert "its certificate is that of slurmd nd2, not of slurmctld" in said


def test_a_listener_that_speaks_no_tls_gets_a_client_hello_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    taken: list[bytes] = []

    async def main() -> None:
        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            taken.append(await reader.read(65536))
            writer.write(frame("Launch"))
            taken.append(await reader.read(65536))
            writer.close()

        server = await asyncio.start_server(listen, "127.0.0.1", 0)
        diary = Diary()
        link = SocketLink([endpoints.tcp(*server.sockets[0].getsockname()[:2])], diary, trust=trust("slurmd", "nd1"))
        link.start()
        await until(lambda: "cannot connect" in caplog.text)
        await link.close()
        server.close()
        assert not diary.entries

    asyncio.run(main())
    assert taken[0][0] == 0x16  # a TLS handshake record
    assert b"nd1" not in b"".join(taken)


def test_who_listens_on_a_unix_socket_must_be_root_or_slurm_user(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        server, diary = Server(shout), Diary()
        place = await server.listen(endpoints.unix(str(tmp_path / "x.sock")))
        link = SocketLink([place], diary, wanted=Wanted(owners=(4711,)))
        link.start()
        await until(lambda: "cannot connect" in caplog.text)
        assert not diary.entries
        await link.close()
        await server.close()

    asyncio.run(main())
    assert f"who listens there is uid {os.geteuid()}: neither root nor SlurmUser" in caplog.text


def test_a_server_knows_a_party_by_its_certificate_and_no_user_in_it() -> None:
    seen: list[Peer] = []
    with serving(HERE, lambda peer, codec, payload: seen.append(peer), trust=trust("slurmctld", "head")) as running:
        client = Blocking(running.endpoint, trust("slurmd", "nd1"))
        client.send(frames.MSGPACK, b"\x80")
        deadline = time.monotonic() + 20
        while not seen:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        peer = seen[0]
        assert peer.party is not None and str(peer.party) == "slurmd nd1"
        assert (peer.identity.uid, peer.local, peer.trusted) == (-1, False, False)
        client.stream.close()


def test_nobody_without_a_certificate_is_let_in_where_no_token_could_be_verified() -> None:
    bare = Trust(Credentials("lab", None, AUTHORITY.certificate))
    with serving(HERE, trust=trust("slurmctld", "head")) as running:
        client = Blocking(running.endpoint, bare)
        with pytest.raises(NotPermitted) as caught:
            client.answer()
        assert "the other side refuses our certificate" in caught.value.hints[0]
        client.stream.close()
        assert any("showed no certificate" in line for line in running.lines)


def test_a_token_within_tls_is_good_and_a_message_before_it_is_not() -> None:
    notary = Notary(b"k" * 32)
    bare = Trust(Credentials("lab", None, AUTHORITY.certificate))
    with serving(HERE, trust=trust("slurmctld", "head"), verify=notary.verify) as running:
        client = Blocking(running.endpoint, bare)
        client.send(frames.JSON, msgspec.json.encode({"type": "Hello", "token": notary.mint(1234, 1)}))
        client.send(frames.JSON, b'{"type":"Ping"}')
        assert b'"uid": 1234' in client.answer()
        client.stream.close()
        client = Blocking(running.endpoint, bare)
        client.send(frames.JSON, b'{"type":"Ping"}')
        assert b"the first message must be a Hello" in client.answer() or not client.answer()
        client.stream.close()


def test_a_revoked_party_is_told_so_and_its_live_connection_ends() -> None:
    server = trust("slurmctld", "head")
    with serving(HERE, trust=server) as running:
        node = trust("slurmd", "nd1")
        client = Blocking(running.endpoint, node)
        other = Blocking(running.endpoint, trust("slurmd", "nd2"))
        assert client.tls.party is not None
        while running.connections < 2 or sum("slurmd" in str(guest._place) for guest in running.server._gate.guests) < 2:  # type: ignore[attr-defined]
            time.sleep(0.01)
        serials = [guest.peer.party.serial for guest in running.server._gate.guests if "nd1" in str(guest._place)]  # type: ignore[attr-defined]

        def revoke() -> None:
            server.replace(server.credentials._replace(revoked=frozenset(serials)))
            running.server.recheck()

        running.ask(revoke)
        assert client.answer() == b""
        again = Blocking(running.endpoint, node)
        assert b"was revoked" in again.answer()
        other.send(frames.JSON, b'{"type":"Ping"}')
        assert b"echo" in other.answer()
        for each in (client, again, other):
            each.stream.close()


def test_a_peer_from_before_the_secured_channel_is_told_so_in_its_own_frames() -> None:
    with serving(HERE, trust=trust("slurmctld", "head")) as running:
        stream = socket.create_connection((running.endpoint.host, running.endpoint.port), 20)
        stream.sendall(frames.HEADER.pack(frames.MAGIC, frames.OLDEST, frames.JSON, 2) + b"{}")
        with Connection(stream, running.endpoint) as connection, pytest.raises(ProtocolError) as caught:
            connection.receive(20)
        assert "takes TLS only on this port" in caught.value.hints[0]


def test_a_peer_of_the_version_before_is_answered_in_it(tmp_path: Path) -> None:
    with serving(endpoints.unix(str(tmp_path / "x.sock"))) as running, endpoints.connected(running.endpoint, 20) as stream:
        body = b'{"type":"Ping"}'
        stream.sendall(frames.HEADER.pack(frames.MAGIC, frames.OLDEST, frames.JSON, len(body)) + body)
        assert stream.recv(65536)[2] == frames.OLDEST
        stream.sendall(frames.HEADER.pack(frames.MAGIC, frames.VERSION + 1, frames.JSON, len(body)) + body)
        told = stream.recv(65536)
        assert f"protocol version {frames.VERSION + 1}".encode() in told
        assert f"this one speaks {frames.VERSION} and {frames.OLDEST}".encode() in told


def test_a_link_resumes_its_session_when_it_comes_back() -> None:
    server_trust = trust("slurmctld", "head")
    reused: list[bool] = []

    def note(peer: Peer, codec: int, payload: bytes) -> None:
        reused.append(peer._line._tls.resumed)  # type: ignore[attr-defined]
        shout(peer, codec, payload)

    async def main() -> None:
        server, diary = Server(note, trust=server_trust), Diary()
        place = await server.listen(HERE)
        link = SocketLink([place], diary, trust=trust("slurmd", "nd1"))
        link.start()
        for count in (1, 2):
            await until(lambda: link.up)
            link.send(frame("hello"))
            await until(lambda count=count: diary.entries.count("HELLO") == count)  # type: ignore[misc]
            link.reconnect("test")
            await until(lambda count=count: diary.entries.count("up") == count + 1)  # type: ignore[misc]
        await link.close()
        await server.close()

    uvloop.run(main())
    assert reused == [False, True]


# --- what strangers cost -------------------------------------------------------------------------------------------------------


def test_a_thousand_half_open_handshakes_from_one_address_hold_few_places_and_keep_no_node_out() -> None:
    limits = Limits(silent=30.0)
    server = trust("slurmctld", "head")
    with serving(HERE, trust=server, limits=limits) as running:
        half_open = []
        for _ in range(1000):
            stream = socket.create_connection((running.endpoint.host, running.endpoint.port), 20)
            tls = Tls(trust("slurmd", "nd9") if not half_open else half_open[0][1]._trust, server=False)
            tls.handshake()
            stream.sendall(tls.outgoing()[:100])
            half_open.append((stream, tls))
        began = time.monotonic()
        client = Blocking(running.endpoint, trust("slurmd", "nd1"))
        client.send(frames.JSON, b'{"type":"Ping"}')
        assert b"echo" in client.answer()
        assert time.monotonic() - began < 2.0
        assert running.connections <= limits.source_strangers + 1
        client.stream.close()
        for stream, _ in half_open:
            stream.close()


def test_a_handshake_without_end_is_dropped() -> None:
    with serving(HERE, trust=trust("slurmctld", "head"), limits=Limits(silent=0.3)) as running:
        stream = socket.create_connection((running.endpoint.host, running.endpoint.port), 20)
        tls = Tls(trust("slurmd", "nd9"), server=False)
        tls.handshake()
        stream.sendall(tls.outgoing()[:100])
        assert stream.recv(100) == b""
        stream.close()
        stream = socket.create_connection((running.endpoint.host, running.endpoint.port), 20)
        with pytest.raises(OSError):
            for _ in range(2000):
                stream.sendall(b"\x16\x03\x01\x3f\xff" + b"\x01\x00\xff\xff" + bytes(16380))
                if stream.recv(10) == b"":
                    raise ConnectionResetError
        stream.close()


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_strangers_handshakes_have_a_fifth_of_the_time_and_nodes_wait_for_none_of_them() -> None:
    clock = _Clock()
    done: list[str] = []

    def work(name: str) -> None:
        clock.now += 0.001
        done.append(name)

    async def main() -> None:
        handshakes = Handshakes(clock)
        node, strangers = Share("node 10.0.0.1", first=True), [Share(f"10.0.1.{number}", first=False) for number in range(2)]
        for number in range(100):
            for stranger in strangers:
                handshakes.ask(stranger, lambda stranger=stranger: work(str(stranger)))  # type: ignore[misc]
            handshakes.ask(node, lambda number=number: work(f"node {number}"))  # type: ignore[misc]
        turns = 0
        while len(handshakes):
            before = clock.now
            await asyncio.sleep(0)
            turns += 1
            assert clock.now - before <= TURN_SECONDS + 0.001
            if clock.now == before:
                clock.now += 0.0005
                await asyncio.sleep(0.001)
        assert turns > 20

    asyncio.run(main())
    first_hundred = done[:125]
    assert sum(name.startswith("node") for name in first_hundred) >= 125 * (1 - STRANGERS_PART) - 1
    strange = [name for name in done if not name.startswith("node")]
    assert strange == ["10.0.1.0", "10.0.1.1"] * 100  # address by address


def test_a_node_is_known_before_its_handshake_by_address_and_roots_port() -> None:
    gate = Gate(Limits(), logging.getLogger("test"))
    gate.nodes = frozenset({"10.0.0.1"})
    assert gate.is_node("10.0.0.1", 700)
    assert not gate.is_node("10.0.0.1", 40000)
    assert not gate.is_node("10.0.0.2", 700)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has ports below 1024")
def test_roots_links_come_from_a_port_that_only_root_may_use() -> None:
    ports: list[int] = []

    async def main() -> None:
        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            ports.append(writer.get_extra_info("peername")[1])
            writer.close()

        server = await asyncio.start_server(listen, "127.0.0.1", 0)
        stream = await links._dialled(endpoints.tcp(*server.sockets[0].getsockname()[:2]))
        await until(lambda: bool(ports))
        stream.close()
        server.close()

    asyncio.run(main())
    assert ports[0] < 1024
