"""The server: good peers are served, in order, with their identity; bad ones cost a log line and nothing else."""

import asyncio
import errno
import gc
import json
import os
import random
import resource
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from slurm.model.errors import ConfigError, NotNow, NotPermitted, ProtocolError, SlurmError, Unreachable
from slurm.net import endpoint as endpoints
from slurm.net.client import Connection, dial
from slurm.net.endpoint import Endpoint, connected
from slurm.net.listening import raise_open_files
from slurm.net.peer import Peer
from slurm.net.server import Limits
from slurm.wire import frames
from tests.unit.net.notary import Notary
from tests.unit.net.serving import LOOPS, Running, echo, serving

PING = {"type": "Ping"}
PATIENT = 30.0


@pytest.fixture
def place(tmp_path: Path) -> Endpoint:
    return endpoints.unix(str(tmp_path / "x.sock"))


@pytest.fixture(params=list(LOOPS))
def running(request: pytest.FixtureRequest, place: Endpoint) -> Iterator[Running]:
    with serving(place, limits=Limits(silent=0.3, stalled=1.0, strangers=50), loop=request.param) as running:
        yield running


def still_serves(running: Running) -> bool:
    with dial(running.endpoint) as connection:
        return bool(connection.call(PING, PATIENT)["echo"] == PING)


def closed_by_peer(stream: socket.socket) -> bool:
    stream.settimeout(PATIENT)
    try:
        while stream.recv(65536):
            pass
    except ConnectionResetError:
        return True
    return True


def wait_until(what: str, check: object) -> None:
    assert callable(check)
    deadline = time.monotonic() + PATIENT
    while not check():
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(0.01)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_peer_on_a_unix_socket_is_known_by_the_kernel(running: Running) -> None:
    with dial(running.endpoint) as connection:
        reply = connection.call(PING, PATIENT)
    assert reply == {"echo": PING, "uid": os.getuid(), "pid": os.getpid()}


def test_many_messages_in_one_write_are_answered_in_order(running: Running) -> None:
    with dial(running.endpoint) as connection:
        connection._stream.sendall(b"".join(frames.pack(frames.JSON, json.dumps(n).encode()) for n in range(5000)))
        assert [connection.receive(PATIENT)["echo"] for _ in range(5000)] == list(range(5000))


def test_a_message_that_comes_byte_by_byte_is_whole_in_the_end(running: Running) -> None:
    with dial(running.endpoint) as connection:
        for byte in frames.pack(frames.JSON, b'{"type": "Ping"}'):
            connection._stream.sendall(bytes([byte]))
        assert connection.receive(PATIENT)["echo"] == PING


def test_a_large_message_and_a_large_reply_pass(running: Running) -> None:
    text = "x" * 2_000_000
    with dial(running.endpoint) as connection:
        assert connection.call({"type": text}, 20)["echo"]["type"] == text


def test_random_bytes_are_refused_with_one_line(running: Running) -> None:
    chance = random.Random(1)
    for _ in range(5):
        with connected(running.endpoint, PATIENT) as stream:
            stream.sendall(chance.randbytes(4000))
            assert closed_by_peer(stream)
    assert len(running.lines) == 5
    assert all("closed: these bytes are not slurm-py's protocol" in line and f"uid {os.getuid()}" in line for line in running.lines)
    assert still_serves(running)


def test_a_wrong_first_byte_is_refused_without_waiting_for_more(running: Running) -> None:
    with connected(running.endpoint, PATIENT) as stream:
        stream.sendall(b"G")
        assert closed_by_peer(stream)
    assert still_serves(running)


def test_a_flood_of_garbage_is_counted_in_the_log_not_listed(running: Running) -> None:
    for _ in range(200):
        with connected(running.endpoint, PATIENT) as stream:
            stream.sendall(b"garbage!")
            closed_by_peer(stream)
    wait_until("the rest is counted", lambda: any("further connections did not behave" in line for line in running.lines))
    assert len(running.lines) < 60
    assert still_serves(running)


def test_a_huge_length_is_refused_at_once_and_allocates_nothing(running: Running) -> None:
    before = resident()
    for length in (frames.MAX_PAYLOAD + 1, 0xFFFFFFFF):
        with connected(running.endpoint, PATIENT) as stream:
            stream.sendall(frames.HEADER.pack(frames.MAGIC, frames.VERSION, frames.JSON, length))
            assert closed_by_peer(stream)
    assert resident() - before < 8_000_000
    assert still_serves(running)


def test_a_wrong_version_is_told_which_version_is_spoken(running: Running) -> None:
    with connected(running.endpoint, PATIENT) as stream:
        stream.sendall(frames.HEADER.pack(frames.MAGIC, 99, frames.JSON, 2) + b"{}")
        with pytest.raises(ProtocolError, match="Incompatible versions") as caught:
            Connection(stream, running.endpoint).receive(PATIENT)
    assert caught.value.name == "SLURM_PROTOCOL_VERSION_ERROR"
    assert "the peer speaks protocol version 99, this one speaks 2 and 1" in caught.value.hints[0]


def test_half_a_message_is_dropped_after_a_while_and_given_back(running: Running) -> None:
    streams = [connected(running.endpoint, PATIENT) for _ in range(20)]
    for stream in streams:
        stream.sendall(frames.HEADER.pack(frames.MAGIC, frames.VERSION, frames.JSON, 1_000_000) + b"x" * 50_000)
    for stream in streams:
        assert closed_by_peer(stream)
        stream.close()
    assert running.ask(lambda: running.server._gate.unfinished) == 0
    assert any("a message was not whole after 1 s" in line for line in running.lines)
    assert still_serves(running)


def test_half_a_message_after_a_whole_one_is_dropped_too(running: Running) -> None:
    with dial(running.endpoint) as connection:
        connection.call(PING, PATIENT)
        connection._stream.sendall(frames.pack(frames.JSON, b"{}")[:5])
        assert closed_by_peer(connection._stream)
    assert still_serves(running)


def test_a_connection_that_never_speaks_is_dropped_but_one_that_spoke_may_rest(running: Running) -> None:
    resting = dial(running.endpoint)
    resting.call(PING, PATIENT)
    with connected(running.endpoint, PATIENT) as silent:
        assert closed_by_peer(silent)
    assert "nothing came within 0.3 s" in running.lines[0]
    assert resting.call(PING, PATIENT)["echo"] == PING
    resting.close()


def test_a_thousand_idle_connections_neither_stop_nor_bloat_the_server(place: Endpoint) -> None:
    if raise_open_files() < 3000:
        pytest.skip("fewer than 3,000 open files are allowed here")
    with serving(place, limits=Limits(strangers=200)) as running:
        before = resident()
        known = dial(running.endpoint)
        known.call(PING, PATIENT)
        idle = [connected(running.endpoint, PATIENT) for _ in range(1000)]
        assert still_serves(running)
        assert known.call(PING, PATIENT)["echo"] == PING
        assert running.connections <= 202
        assert resident() - before < 30_000_000
        for stream in idle:
            stream.close()
        known.close()
        wait_until("all are gone", lambda: running.connections == 0)


def test_parts_of_messages_of_all_connections_together_are_bounded(place: Endpoint) -> None:
    with serving(place, limits=Limits(unfinished=10_000_000)) as running:
        streams = [connected(running.endpoint, PATIENT) for _ in range(10)]
        dropped = 0
        for stream in streams:
            try:
                stream.sendall(frames.HEADER.pack(frames.MAGIC, frames.VERSION, frames.JSON, 5_000_000) + bytes(3_000_000))
            except OSError as error:
                assert error.errno in (errno.EPIPE, errno.ECONNRESET)
                dropped += 1
        assert running.ask(lambda: running.server._gate.unfinished) <= 10_300_000
        assert dropped >= 1
        assert any("too much is being received" in line for line in running.lines)
        for stream in streams:
            stream.close()
        assert still_serves(running)


def test_a_peer_that_does_not_read_is_dropped_with_a_sentence(place: Endpoint) -> None:
    watched: list[Peer] = []

    def watch(peer: Peer, codec: int, payload: bytes) -> None:
        watched.append(peer)
        peer.send(frames.pack(codec, b"{}"))

    with serving(place, watch, limits=Limits(unsent=1_000_000)) as running:
        with dial(running.endpoint) as connection:
            connection.call(PING, PATIENT)
            news = frames.pack(frames.JSON, bytes(100_000))

            def push() -> bool:
                watched[0].send(news)
                return watched[0].closed

            wait_until("the watcher is dropped", lambda: running.ask(push))
        assert any("it does not read" in line for line in running.lines)


def test_a_handler_may_take_its_time_while_later_messages_are_handled(place: Endpoint) -> None:
    async def handle(peer: Peer, codec: int, payload: bytes) -> None:
        if payload == b'"slow"':
            await asyncio.sleep(0.1)
        peer.send(frames.pack(codec, json.dumps({"done": json.loads(payload)}).encode()))

    with serving(place, handle) as running, dial(running.endpoint) as connection:
        connection._stream.sendall(frames.pack(frames.JSON, b'"slow"') + frames.pack(frames.JSON, b'"quick"'))
        assert [connection.receive(PATIENT)["done"] for _ in range(2)] == ["quick", "slow"]


def test_no_more_requests_than_the_limit_are_carried_out_at_once(place: Endpoint) -> None:
    at_work: list[int] = [0, 0]

    async def handle(peer: Peer, codec: int, payload: bytes) -> None:
        at_work[0] += 1
        at_work[1] = max(at_work)
        await asyncio.sleep(0.001)
        at_work[0] -= 1
        peer.send(frames.pack(codec, payload))

    with serving(place, handle, limits=Limits(requests=8)) as running, dial(running.endpoint) as connection:
        def send() -> None:
            for number in range(500):
                connection.send({"n": number})

        sent = threading.Thread(target=send)
        sent.start()
        assert sorted(connection.receive(PATIENT)["n"] for _ in range(500)) == list(range(500))
        sent.join()
    assert at_work[1] == 8


@pytest.mark.parametrize("later", [False, True])
def test_what_a_handler_raises_reaches_the_caller(place: Endpoint, later: bool) -> None:
    errors: dict[bytes, Exception] = {
        b'"no"': NotNow(hints=["wait a little"]), b'"bug"': ZeroDivisionError("a bug"), b'"junk"': msgspec.ValidationError("bad field")}

    def at_once(peer: Peer, codec: int, payload: bytes) -> None:
        raise errors[payload]

    async def in_a_while(peer: Peer, codec: int, payload: bytes) -> None:
        await asyncio.sleep(0)
        raise errors[payload]

    with serving(place, in_a_while if later else at_once) as running, dial(running.endpoint) as connection:
        connection.send_frame(frames.JSON, b'"no"')
        with pytest.raises(NotNow, match="Job can not be altered now") as caught:
            connection.receive(PATIENT)
        assert caught.value.hints == ("wait a little",)
        connection.send_frame(frames.MSGPACK, b'"no"')
        codec, payload = connection.receive_frame(PATIENT)
        assert codec == frames.MSGPACK
        assert msgspec.msgpack.decode(payload)["kind"] == "NotNow"
        connection.send_frame(frames.JSON, b'"bug"')
        with pytest.raises(SlurmError, match="The daemon failed on this request"):
            connection.receive(PATIENT)
        connection.send_frame(frames.JSON, b'"junk"')
        with pytest.raises(ProtocolError, match="Malformed message") as malformed:
            connection.receive(PATIENT)
        assert malformed.value.hints == ("bad field",)
        assert closed_by_peer(connection._stream)
    assert any("could not be handled" in line for line in running.lines)


def test_a_handler_is_told_when_its_peer_has_gone(place: Endpoint) -> None:
    gone = threading.Event()

    def handle(peer: Peer, codec: int, payload: bytes) -> None:
        peer.on_close(gone.set)
        echo(peer, codec, payload)

    with serving(place, handle) as running:
        with dial(running.endpoint) as connection:
            connection.call(PING, PATIENT)
            assert not gone.is_set()
        assert gone.wait(PATIENT)


@pytest.mark.parametrize("loop", list(LOOPS))
def test_a_connection_can_be_given_away_with_what_was_read_of_it(place: Endpoint, loop: str) -> None:
    given: list[tuple[socket.socket, bytes]] = []
    told: list[str] = []

    def handle(peer: Peer, codec: int, payload: bytes) -> None:
        peer.on_close(lambda: told.append("closed"))
        given.append(peer.detach())

    with serving(place, handle, loop=loop) as running, connected(running.endpoint, PATIENT) as stream:
        stream.sendall(frames.pack(frames.JSON, b"{}") + b"and more")
        wait_until("it was given away", lambda: given and running.connections == 0)
        taken, rest = given[0]
        assert rest == b"and more"
        taken.setblocking(True)
        stream.sendall(b"hello")
        assert taken.recv(100) == b"hello"
        taken.sendall(b"welcome")
        assert stream.recv(100) == b"welcome"
        taken.close()
    assert not told


def test_a_tcp_peer_must_say_who_it_is_with_a_token(place: Endpoint) -> None:
    notary = Notary(b"k" * 32)
    with serving(endpoints.tcp("127.0.0.1", 0), verify=notary.verify) as running:
        assert running.endpoint.port
        hello = {"type": "Hello", "token": notary.mint(1234, 1234)}
        with Connection(connected(running.endpoint, PATIENT), running.endpoint) as connection:
            connection.send(hello)
            assert connection.call(PING, PATIENT) == {"echo": PING, "uid": 1234, "pid": 0}
        with Connection(connected(running.endpoint, PATIENT), running.endpoint) as connection:
            connection.send(hello)
            with pytest.raises(NotPermitted, match="Protocol authentication error") as caught:
                connection.receive(PATIENT)
        assert caught.value.hints == ("the credential was used before",)
        with Connection(connected(running.endpoint, PATIENT), running.endpoint) as connection:
            connection.send(PING)
            assert closed_by_peer(connection._stream)
        with connected(running.endpoint, PATIENT) as stream:
            stream.sendall(frames.HEADER.pack(frames.MAGIC, frames.VERSION, frames.JSON, frames.MAX_HELLO + 1))
            assert closed_by_peer(stream)


def test_without_a_key_no_tcp_peer_is_let_in() -> None:
    with (serving(endpoints.tcp("127.0.0.1", 0)) as running,
          Connection(connected(running.endpoint, PATIENT), running.endpoint) as connection,
          pytest.raises(NotPermitted) as caught):
        connection.call({"type": "Hello", "token": "x"}, PATIENT)
    assert caught.value.hints == ("this daemon takes connections on its unix socket only",)


def test_the_socket_file_goes_with_the_server_and_a_dead_ones_is_replaced(place: Endpoint) -> None:
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(place.path)
    dead.close()
    with serving(place) as running:
        assert stat.S_IMODE(os.stat(place.path).st_mode) == 0o666
        assert still_serves(running)
    assert not os.path.exists(place.path)


def test_a_place_that_is_taken_is_refused_with_a_sentence(place: Endpoint, tmp_path: Path) -> None:
    with serving(place), pytest.raises(ConfigError, match="is in use by another program"), serving(place):
        pass
    with (serving(endpoints.tcp("127.0.0.1", 0)) as running,
          pytest.raises(ConfigError, match=r"tcp://127\.0\.0\.1:\d+ is in use by another program"),
          serving(running.endpoint)):
        pass
    precious = tmp_path / "precious"
    precious.write_text("a file of somebody")
    with pytest.raises(ConfigError, match="is in use"), serving(endpoints.unix(str(precious))):
        pass
    assert precious.read_text() == "a file of somebody"
    with pytest.raises(ConfigError, match="No such file"), serving(endpoints.unix(str(tmp_path / "none" / "x.sock"))):
        pass


def test_a_path_too_long_for_a_socket_address_works_all_the_same(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 90) / ("e" * 90)
    deep.mkdir(parents=True)
    for loop in LOOPS:
        with serving(endpoints.unix(str(deep / "x.sock")), loop=loop) as running:
            assert still_serves(running)
        assert not list(deep.iterdir())


def test_when_open_files_run_out_the_silent_ones_make_room(place: Endpoint) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    gc.collect()
    with serving(place) as running:
        held = len(os.listdir("/proc/self/fd"))  # by tests before this one, too
        resource.setrlimit(resource.RLIMIT_NOFILE, (held + 150, hard))
        try:
            idle = [connected(running.endpoint, PATIENT) for _ in range(70)]
            assert still_serves(running)
            assert running.connections <= 117
            for stream in idle:
                stream.close()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_server_that_closes_hangs_up(place: Endpoint) -> None:
    with serving(place) as running:
        connection = dial(running.endpoint)
        connection.call(PING, PATIENT)
    with pytest.raises(Unreachable, match="Zero Bytes were transmitted or received"):
        connection.receive(PATIENT)
    connection.close()
