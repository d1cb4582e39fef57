"""One user's connections, requests and bytes never keep others out; root always gets in."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator

import pytest

from slurm.model.errors import NotNow, Unreachable
from slurm.net import endpoint as endpoints
from slurm.net.client import Connection, dial
from slurm.net.endpoint import Endpoint, connected
from slurm.net.peer import Peer
from slurm.net.server import Limits
from slurm.wire import frames
from slurm.wire.credentials import Identity
from tests.unit.net.notary import Notary
from tests.unit.net.serving import LOOPS, Running, serving

PATIENT = 30.0
HOG, OTHER, ROOT = 1234, 1235, 0
PING = {"type": "Ping"}


def answer(peer: Peer, codec: int, payload: bytes) -> None:
    peer.send(frames.pack(codec, json.dumps({"uid": peer.identity.uid}).encode()))


PLACES = 100


@pytest.fixture(params=list(LOOPS))
def crowded(request: pytest.FixtureRequest) -> Iterator[tuple[Running, Notary]]:
    """A server with few places."""
    notary = Notary(b"k" * 32)
    limits = Limits(places=PLACES)
    with serving(endpoints.tcp("127.0.0.1", 0), answer, verify=notary.verify, limits=limits, loop=request.param) as running:
        yield running, notary


def come(running: Running, notary: Notary, uid: int) -> Connection:
    connection = Connection(connected(running.endpoint, PATIENT), running.endpoint)
    connection.send({"type": "Hello", "token": notary.mint(uid, uid)})
    assert connection.call(PING, PATIENT)["uid"] == uid
    return connection


def come_until_refused(running: Running, notary: Notary, uid: int) -> list[Connection]:
    kept: list[Connection] = []
    for _ in range(1000):
        try:
            kept.append(come(running, notary, uid))
        except (NotNow, Unreachable):
            return kept
    raise AssertionError("never refused")


def test_idle_connections_of_one_user_end_at_his_share_and_others_get_in(crowded: tuple[Running, Notary]) -> None:
    running, notary = crowded
    mine = come_until_refused(running, notary, HOG)
    assert len(mine) <= PLACES // 4
    others = [come(running, notary, uid) for uid in (OTHER, ROOT)]
    assert any(f"too many connections of uid {HOG}" in line for line in running.lines)
    for connection in (*mine, *others):
        connection.close()


GATEWAY = 4000


def _speaking(peer: Peer, codec: int, payload: bytes) -> None:
    """As a slurmctld with tokens: a message may say for whom the connection speaks."""
    asked = json.loads(payload)
    if "as" in asked:
        peer.speak_by_token(Identity(uid=asked["as"], gid=asked["as"], host="", issued=0.0))
    answer(peer, codec, payload)


def test_whoever_comes_by_a_gateway_counts_as_the_user_that_he_acts_as_and_leaves_the_gateways_share_alone() -> None:
    notary = Notary(b"k" * 32)
    with serving(endpoints.tcp("127.0.0.1", 0), _speaking, verify=notary.verify, limits=Limits(places=PLACES)) as running:
        def act_as(uid: int) -> Connection:
            connection = come(running, notary, GATEWAY)
            assert connection.call({"type": "ActAs", "as": uid}, PATIENT)["uid"] == uid
            return connection

        hogs: list[Connection] = []
        with pytest.raises(NotNow, match="as many connections as one user may have"):
            while len(hogs) < PLACES:
                hogs.append(act_as(HOG))
        assert len(hogs) == PLACES // 4
        others = [act_as(uid) for uid in (OTHER, ROOT, OTHER)] + [come(running, notary, GATEWAY)]
        for connection in (*hogs, *others):
            connection.close()


def test_when_many_users_fill_every_place_whoever_has_most_gives_one_away(crowded: tuple[Running, Notary]) -> None:
    running, notary = crowded
    held: list[Connection] = []
    for uid in range(2000, 2000 + 2 * PLACES):
        if len(held) >= PLACES:
            break
        held += [come(running, notary, uid) for _ in range(min(PLACES // 5, PLACES - len(held)))]
    newcomers = [come(running, notary, uid) for uid in (OTHER, ROOT)]
    assert running.connections <= PLACES
    assert any("nobody has more of them than uid 20" in line for line in running.lines)
    for connection in newcomers:
        assert connection.call(PING, PATIENT)
    for connection in (*held, *newcomers):
        connection.close()


def test_an_ordinary_user_cannot_lock_root_out_of_a_unix_socket() -> None:
    if os.geteuid():
        pytest.skip("only root can be somebody else")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        _attack_with_idle_connections(endpoints.unix(folder + "/x.sock"))


def _attack_with_idle_connections(place: Endpoint) -> None:
    with serving(place, answer, limits=Limits(places=PLACES)) as running:
        hog = subprocess.Popen([sys.executable, "-c", textwrap.dedent(f"""
            import os, socket, sys
            os.setgid({HOG}); os.setuid({HOG})
            frame = {frames.pack(frames.JSON, b'{"type": "Ping"}')!r}
            kept = []
            for _ in range(400):
                stream = socket.socket(socket.AF_UNIX); stream.settimeout(5)
                try:
                    stream.connect({place.path!r}); stream.sendall(frame); stream.recv(500)
                except OSError:
                    continue
                kept.append(stream)
            print(len(kept), flush=True)
            sys.stdin.read()
            """)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert hog.stdout is not None
            assert int(hog.stdout.readline()) >= PLACES // 4
            for _ in range(50):
                with dial(place) as connection:
                    assert connection.call(PING, PATIENT) == {"uid": 0}
        finally:
            hog.communicate("", timeout=PATIENT)
        assert any(f"too many connections of uid {HOG}" in line for line in running.lines)


def test_a_user_with_a_thousand_requests_waits_for_himself_only() -> None:
    notary = Notary(b"k" * 32)

    carried_out: list[int] = []

    everybody_asked = threading.Event()

    async def busy(peer: Peer, codec: int, payload: bytes) -> None:
        if payload == b"{}":
            assert everybody_asked.wait(PATIENT)
            carried_out.append(peer.identity.uid)
        answer(peer, codec, payload)

    with serving(endpoints.tcp("127.0.0.1", 0), busy, verify=notary.verify, limits=Limits(requests=2000)) as running:
        hog, other = come(running, notary, HOG), come(running, notary, OTHER)
        hog._stream.sendall(frames.pack(frames.JSON, b"{}") * 1000)
        other._stream.sendall(frames.pack(frames.JSON, b"{}") * 5)
        everybody_asked.set()
        assert [other.receive(PATIENT)["uid"] for _ in range(5)] == [OTHER] * 5
        assert [hog.receive(PATIENT)["uid"] for _ in range(1000)] == [HOG] * 1000
        first = carried_out.index(OTHER)
        assert carried_out[first:first + 9] == [OTHER, HOG] * 4 + [OTHER]
        hog.close()
        other.close()


def test_requests_of_one_user_on_all_his_connections_are_bounded_and_the_refusal_says_so() -> None:
    notary = Notary(b"k" * 32)
    go = threading.Event()

    async def wait(peer: Peer, codec: int, payload: bytes) -> None:
        while json.loads(payload) == "wait" and not go.is_set():
            await asyncio.sleep(0.01)
        answer(peer, codec, payload)

    with serving(endpoints.tcp("127.0.0.1", 0), wait, verify=notary.verify, limits=Limits(user_requests=10)) as running:
        waiting = [come(running, notary, HOG) for _ in range(11)]
        for connection in waiting[:10]:
            connection.send_frame(frames.JSON, b'"wait"')
        refused = waiting[10]
        with pytest.raises(NotNow, match="10 requests of yours are being carried out, as many as one user may have"):
            for _ in range(1000):
                refused.call(PING, PATIENT)
        with come(running, notary, OTHER) as other:
            assert other.call(PING, PATIENT)["uid"] == OTHER
        go.set()
        assert [connection.receive(PATIENT)["uid"] for connection in waiting[:10]] == [HOG] * 10
        assert refused.call(PING, PATIENT)["uid"] == HOG
        for connection in waiting:
            connection.close()


def test_parts_of_messages_of_one_user_are_bounded_before_they_fill_what_all_may_have() -> None:
    notary = Notary(b"k" * 32)
    with serving(endpoints.tcp("127.0.0.1", 0), answer, verify=notary.verify, limits=Limits(unfinished=8_000_000)) as running:
        other = come(running, notary, OTHER)
        mine = [come(running, notary, HOG) for _ in range(8)]
        for connection in mine:
            try:
                connection._stream.sendall(frames.HEADER.pack(frames.MAGIC, frames.VERSION, frames.JSON, 5_000_000) + bytes(600_000))
            except OSError:
                break
        deadline = time.monotonic() + PATIENT
        while not any(f"all connections of uid {HOG}" in line for line in running.lines):
            assert time.monotonic() < deadline, running.lines
            time.sleep(0.01)
        assert running.ask(lambda: running.server._gate.unfinished) <= 2_300_000
        assert other.call(PING, PATIENT)["uid"] == OTHER
        for connection in (*mine, other):
            connection.close()


def test_what_one_user_does_not_read_is_bounded_over_all_his_connections() -> None:
    notary = Notary(b"k" * 32)
    large = frames.pack(frames.JSON, b'"' + b"x" * 4_000_000 + b'"')

    def pour(peer: Peer, codec: int, payload: bytes) -> None:
        peer.send(large if payload == b'"pour"' else frames.pack(codec, json.dumps({"uid": peer.identity.uid}).encode()))

    with serving(endpoints.tcp("127.0.0.1", 0), pour, verify=notary.verify, limits=Limits(user_unsent=4_000_000)) as running:
        mine = [come(running, notary, HOG) for _ in range(12)]
        for connection in mine:
            connection._stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for connection in mine * 3:
            try:
                connection._stream.sendall(frames.pack(frames.JSON, b'"pour"'))
            except OSError:
                break
        deadline = time.monotonic() + PATIENT
        while not any("together do not read" in line for line in running.lines):
            assert time.monotonic() < deadline, running.lines
            time.sleep(0.01)
        for connection in mine:
            connection.close()


def test_a_request_of_somebody_who_hung_up_at_once_is_carried_out_all_the_same() -> None:
    notary = Notary(b"k" * 32)
    seen: list[bytes] = []

    def note(peer: Peer, codec: int, payload: bytes) -> None:
        seen.append(payload)

    with serving(endpoints.tcp("127.0.0.1", 0), note, verify=notary.verify) as running:
        for number in range(20):
            with connected(Endpoint(host="127.0.0.1", port=running.endpoint.port), PATIENT) as stream:
                hello = json.dumps({"type": "Hello", "token": notary.mint(HOG, HOG)}).encode()
                stream.sendall(frames.pack(frames.JSON, hello) + frames.pack(frames.JSON, str(number).encode()))
        deadline = time.monotonic() + PATIENT
        while len(seen) < 20:
            assert time.monotonic() < deadline, seen
            time.sleep(0.01)
    assert sorted(map(int, seen)) == list(range(20))
