"""The commands' client: finds the controller, waits a little for it, and says what it tried."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from slurm.model.errors import ConfigError, NotFound, NotPermitted, ProtocolError, Unreachable, describe
from slurm.model.version import VERSION
from slurm.net import endpoint as endpoints
from slurm.net.authority import Authority
from slurm.net.client import connect, dial, reach
from slurm.net.discovery import Site
from slurm.net.peer import Peer
from slurm.net.tls import Trust
from slurm.wire import frames
from slurm.wire.credentials import Identity
from tests.unit.net.serving import serving

PING = {"type": "Ping"}


def site(*places: endpoints.Endpoint, **more: Any) -> Site:
    return Site(cluster="tux", conf="/etc/slurm/slurm.conf", endpoints=places)._replace(**more)


def test_the_controller_of_an_embedded_cluster_is_found_and_asked(tmp_path: Path) -> None:
    root = tmp_path / "slurm" / "two"
    (root / "run").mkdir(parents=True)
    (root / "slurm.conf").write_text(f"ClusterName=two\nSlurmctldPidFile={root}/run/slurmctld.pid\nAuthType=auth/local\n")
    environ = {"XDG_STATE_HOME": str(tmp_path), "SLURM_PY_INSTANCE": "two"}
    with pytest.raises(Unreachable) as caught:
        connect(environ)
    assert caught.value.lines() == [
        "Unable to contact slurm controller (connect failure)",
        f"tried unix:{root}/run/slurmctld.sock: No such file or directory",
        "tried unix:/var/spool/slurmctld.sock: No such file or directory",
        "the cluster two is not running: start it with `slurm up`"]
    with serving(endpoints.unix(f"{root}/run/slurmctld.sock")), connect(environ) as connection:
        assert connection.call(PING)["uid"] == os.getuid()


def test_a_refusal_of_the_controller_is_raised_as_what_it_is(tmp_path: Path) -> None:
    def refuse(peer: Peer, codec: int, payload: bytes) -> None:
        error = NotFound(hints=["job 12 ended and was forgotten"], preface=["a line before"])
        peer.send(frames.pack(codec, json.dumps({"type": "Failure", **describe(error)}).encode()))

    place = endpoints.unix(str(tmp_path / "x.sock"))
    with serving(place, refuse), dial(place) as connection, pytest.raises(NotFound, match="Invalid job id specified") as caught:
        connection.call(PING)
    assert caught.value.hints == ("job 12 ended and was forgotten",)
    assert caught.value.preface == ("a line before",)


@pytest.mark.parametrize(("pong", "told"), [
    ({"started": 5.0}, "the running slurmctld is an earlier slurm-py than this one"),
    ({"release": "0.0.9", "started": 5.0}, "the running slurmctld is slurm-py 0.0.9 and this is slurm-py"),
    ({"release": VERSION, "started": 5.0}, "this slurm-py was installed at"),
    ({"release": VERSION, "started": 4e9}, ""), (None, "")])
def test_a_controller_of_another_version_that_knows_no_such_request_is_told_of(tmp_path: Path, pong: dict[str, Any] | None, told: str) -> None:
    def refuse(peer: Peer, codec: int, payload: bytes) -> None:
        reply: dict[str, Any] = {"type": "Failure", **describe(ProtocolError(hints=["Invalid value 'ListDreams' - at `$.type`"]))}
        if json.loads(payload) == PING and pong is not None:
            reply = {"type": "Pong", **pong}
        peer.send(frames.pack(codec, json.dumps(reply).encode()))

    place = endpoints.unix(str(tmp_path / "x.sock"))
    with serving(place, refuse), dial(place) as connection, pytest.raises(ProtocolError, match="Malformed message") as caught:
        connection.call({"type": "ListDreams"})
    first, *more = caught.value.hints
    assert first.startswith("Invalid value 'ListDreams'")
    assert (told in more[0] and "`slurm down` and `slurm up`" in more[1]) if told else more == []


def test_a_socket_that_refuses_is_tried_again_until_its_controller_is_back(tmp_path: Path) -> None:
    place = endpoints.unix(str(tmp_path / "x.sock"))
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(place.path)
    dead.close()
    begun = time.monotonic()
    with pytest.raises(Unreachable, match="Unable to contact slurm controller") as caught:
        reach(site(place), patience=0.3)
    assert time.monotonic() - begun >= 0.3
    assert caught.value.hints == (f"tried {place}: Connection refused", "is slurmctld of cluster tux running? (/etc/slurm/slurm.conf)")
    answers: list[object] = []

    def ask() -> None:
        with reach(site(place)) as connection:
            answers.append(connection.call(PING)["echo"])

    waiting = threading.Thread(target=ask)
    waiting.start()
    with serving(place):
        waiting.join(10)
        assert answers == [PING]


def test_an_answer_that_does_not_come_in_time_is_told(tmp_path: Path) -> None:
    place = endpoints.unix(str(tmp_path / "x.sock"))
    with (serving(place, lambda peer, codec, payload: None), dial(place) as connection,
          pytest.raises(Unreachable, match="Socket timed out on send/recv operation") as caught):
        connection.call(PING, timeout=0.05)
    assert caught.value.hints == (f"{place} did not answer in time",)


def test_a_connection_that_breaks_before_the_answer_leaves_no_false_hope(tmp_path: Path) -> None:
    place = endpoints.unix(str(tmp_path / "x.sock"))
    with (serving(place, lambda peer, codec, payload: peer.close()), dial(place) as connection,
          pytest.raises(Unreachable, match="Zero Bytes") as caught):
        connection.call(PING)
    assert "whether the request was carried out is not known" in caught.value.hints[0]


@pytest.mark.parametrize("reply", [b"{", b"[]", b"12"])
def test_a_reply_that_is_no_object_is_refused(tmp_path: Path, reply: bytes) -> None:
    place = endpoints.unix(str(tmp_path / "x.sock"))
    with (serving(place, lambda peer, codec, payload: peer.send(frames.pack(codec, reply))), dial(place) as connection,
          pytest.raises(ProtocolError)):
        connection.call(PING)


def test_frames_that_are_here_are_taken_without_waiting(tmp_path: Path) -> None:
    def thrice(peer: Peer, codec: int, payload: bytes) -> None:
        for number in b"abc":
            peer.send(frames.pack(frames.STEP_IO, bytes([number])))
        peer.close()

    place = endpoints.unix(str(tmp_path / "x.sock"))
    with serving(place, thrice), dial(place) as connection:
        assert connection.ready() == []
        connection.send(PING)
        found: list[tuple[int, bytes]] = []
        deadline = time.monotonic() + 30
        while not connection.closed and time.monotonic() < deadline:
            found += connection.ready()
        assert found == [(frames.STEP_IO, b"a"), (frames.STEP_IO, b"b"), (frames.STEP_IO, b"c")]
        assert connection.closed


def _anybody(token: str) -> Identity:
    return Identity(uid=4711, gid=4711, host="", issued=0.0)


def test_a_command_without_a_daemon_shows_its_token_to_the_controller_that_its_ca_file_names(tmp_path: Path) -> None:
    authority, ca_file = Authority(b"k" * 32, "lab"), tmp_path / "ca_cert.pem"
    ca_file.write_bytes(authority.certificate)
    with serving(endpoints.tcp("127.0.0.1", 0), verify=_anybody, trust=Trust(authority.credentials("slurmctld", "head"))) as controller:
        there = site(controller.endpoint, auth="auth/slurm", token="a.b.c", authorities=str(ca_file))._replace(cluster="lab")
        with reach(there) as connection:
            assert connection.call(PING) == {"echo": PING, "uid": 4711, "pid": 0}
            assert connection.ready() == []
            large = {"type": "Ping", "text": "x" * 500_000}
            connection.send(large)
            found: list[tuple[int, bytes]] = []
            while not found:
                found = connection.ready()
            assert json.loads(found[0][1])["echo"] == large
        with pytest.raises(ConfigError, match="cannot read /none.pem") as caught:
            reach(there._replace(authorities="/none.pem"))
        assert "slurm cert show --authorities" in caught.value.hints[0]


def test_a_token_is_shown_to_nobody_who_is_not_the_clusters_slurmctld(tmp_path: Path) -> None:
    authority, ca_file = Authority(b"k" * 32, "lab"), tmp_path / "ca_cert.pem"
    ca_file.write_bytes(authority.certificate)
    shown: list[str] = []

    def verify(token: str) -> Identity:
        shown.append(token)
        return _anybody(token)

    for false in (authority.credentials("slurmd", "nd1"), Authority(b"x" * 32, "lab").credentials("slurmctld", "head")):
        with serving(endpoints.tcp("127.0.0.1", 0), verify=verify, trust=Trust(false)) as attacker, pytest.raises(NotPermitted):
            reach(site(attacker.endpoint, auth="auth/slurm", token="a.b.c", authorities=str(ca_file))._replace(cluster="lab"))
    assert not shown


def test_without_a_token_no_port_is_tried_and_the_way_to_a_daemon_is_told() -> None:
    with pytest.raises(Unreachable) as caught:
        reach(site(endpoints.unix("/none.sock"), endpoints.tcp("127.0.0.1", 9), relays=("/none.relay",), host="head", auth="auth/slurm"))
    assert caught.value.hints == (
        "tried unix:/none.sock: No such file or directory",
        "no daemon of cluster tux runs on this machine: start sackd here (or slurmctld, on head), or set SLURM_JWT")


def test_the_client_loads_nothing_slow() -> None:
    slow = {"msgspec", "asyncio", "dataclasses", "argparse", "logging", "subprocess", "inspect", "pathlib", "tempfile", "uuid"}
    code = "import sys, slurm.net.client; print(' '.join(sys.modules))"
    source = str(Path(__file__).parents[3] / "src")
    result = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": source}, capture_output=True, text=True, check=True, timeout=30)
    assert not slow & set(result.stdout.split())
