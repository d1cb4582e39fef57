"""auth/munge between machines, with a real munged on each: no slurm.key anywhere, and nobody is whom munged does not say he is."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from slurm.model.errors import NotPermitted, Unreachable
from slurm.net import database_client
from slurm.net.authority import Authority
from slurm.net.discovery import Site
from slurm.net.endpoint import tcp
from slurm.net.link import SocketLink
from slurm.net.munge import Munge
from slurm.net.munge_link import MungeProver
from slurm.net.munge_server import MungeVerifier
from slurm.net.peer import Peer
from slurm.net.server import Server
from slurm.net.tls import Trust
from slurm.wire import frames
from tests.system import machines as namespaces
from tests.system.machines import ALICE, BOB, Machines
from tests.system.munged import Munged, why_not

pytestmark = pytest.mark.skipif(bool(why_not() or namespaces.why_not()), reason=why_not() or namespaces.why_not())
_CONF = "AuthInfo=socket=/run/munge/socket\n"


@pytest.fixture
def munged() -> Iterator[Munged]:
    """One on this machine."""
    folder = Path(tempfile.mkdtemp(prefix="munge-"))
    found = Munged(folder, os.urandom(128))
    found.start()
    yield found
    found.stop()
    shutil.rmtree(folder)


def test_what_is_sealed_is_opened_once_by_whom_it_is_for_and_says_who_sealed_it(munged: Munged) -> None:
    munge = Munge(munged.socket)
    sealed = munge.seal(b"text", reader=os.geteuid())
    assert munge.open(sealed) == (b"text", os.geteuid(), os.getegid())
    assert asyncio.run(munge.open_beside(asyncio.run(munge.seal_beside(b"", reader=os.geteuid())))).text == b""
    for credential, why in ((sealed, "it was used before"), (munge.seal(b"x", reader=ALICE), "it was made for another user to open"),
                            ("nonsense", "the same /etc/munge/munge.key"), (sealed[:-9] + "AAAA" + sealed[-5:], "the same /etc/munge/munge.key")):
        with pytest.raises(NotPermitted) as caught:
            munge.open(credential)
        assert why in caught.value.hints[1], credential
    munged.stop()
    with pytest.raises(Unreachable) as gone:
        munge.seal(b"x", reader=0)
    assert "munged does not answer at" in gone.value.hints[0] and "systemctl start munge" in gone.value.hints[1]


class Said:
    """A listener that keeps what happens."""

    def __init__(self) -> None:
        self.up = asyncio.Event()
        self.messages: list[bytes] = []

    def on_up(self) -> None:
        self.up.set()

    def on_message(self, codec: int, payload: bytes) -> None:
        self.messages.append(payload)

    def on_down(self, why: str) -> None:
        self.up.clear()


def test_a_link_of_a_daemon_is_up_once_munge_has_said_of_both_ends_who_they_are(munged: Munged, caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        munge = Munge(munged.socket)
        held = Authority(os.urandom(32), "slurmdbd").credentials("slurmdbd", "db1")
        assert held.own is not None
        peers: list[Peer] = []

        def on_message(peer: Peer, codec: int, payload: bytes) -> None:
            peers.append(peer)
            peer.send(frames.pack(codec, payload))

        server = Server(on_message, verify=MungeVerifier(munge, "alpha", "slurmdbd", held.own.certificate), trust=Trust(held))
        endpoint = await server.listen(tcp("127.0.0.1", 0))
        me = os.geteuid()
        said = Said()
        good = SocketLink((endpoint,), said, prover=MungeProver(munge, "alpha", "slurmdbd", me, {me}))
        strangers = {
            "runs as root or SlurmUser": MungeProver(munge, "alpha", "slurmdbd", me, {me + 1}),
            "it was sealed for slurmctld": MungeProver(munge, "alpha", "slurmctld", me, {me}),
            "it was sealed for cluster beta": MungeProver(munge, "beta", "slurmdbd", me, {me}),
            "munged does not answer": MungeProver(Munge(munged.socket + ".none"), "alpha", "slurmdbd", me, {me})}
        links = [good, *(SocketLink((endpoint,), Said(), prover=prover) for prover in strangers.values())]
        for link in links:
            link.start()
        await asyncio.wait_for(said.up.wait(), 20)
        assert good.send(frames.pack(frames.MSGPACK, b"hello"))
        async with asyncio.timeout(20):
            while not said.messages or not all(why in caplog.text for why in strangers):
                await asyncio.sleep(0.01)
        assert said.messages == [b"hello"]
        assert [(peer.identity.uid, peer.party) for peer in peers] == [(me, None)]
        assert [link.up for link in links] == [True, False, False, False, False]
        # A command that asks slurmdbd itself.
        site = Site("alpha", "", (), auth="auth/munge", munge_socket=munged.socket, slurm_user=str(me), database=(endpoint,))
        asking = await asyncio.to_thread(database_client.direct, site, [])
        assert asking is not None and peers[-1].identity.uid == me
        asking.close()
        for link in links:
            await link.close()
        await server.close()

    asyncio.run(scene())


class Lab:
    """Machines that share a munge key."""

    def __init__(self, machines: Machines) -> None:
        key = os.urandom(128)
        self.machines = machines
        self.munged = {machine.name: Munged(machine.run_folder / "munge", key, machine.prefix(), "/run/munge") for machine in machines}

    def start(self, *names: str) -> None:
        for name in names or self.munged:
            self.munged[name].start()

    def stop(self) -> None:
        for each in self.munged.values():
            each.stop()


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Machines(nodes=2, login=True, auth="auth/munge", conf=_CONF, key=lambda name: False) as machines:
        found = Lab(machines)
        found.start()
        machines.up()
        yield found
        found.stop()


def ours(command: str) -> tuple[str, str, str]:
    """A command where a real Slurm's may be installed too: with auth/munge ours leave a machine without a daemon of ours to those."""
    return ("sh", "-c", f"PATH=/run/bin; {command}")


def test_jobs_steps_and_commands_of_users_on_every_machine(lab: Lab) -> None:
    machines = lab.machines
    script = "PATH=/run/bin; srun -l /usr/bin/hostname; srun -w nd2 -N1 /usr/bin/id -u; scontrol show job $SLURM_JOB_ID | /usr/bin/head -1"
    job = machines["head"].ok("sbatch", "--parsable", "-W", "-N2", "--wrap", script, user=ALICE).strip()
    lines = (machines.work / f"slurm-{job}.out").read_text().split("\n")
    assert sorted(lines[:2]) == ["0: nd1", "1: nd2"] and lines[2] == str(ALICE) and lines[3] == f"JobId={job} JobName=wrap"
    login = machines["login"]
    assert login.ok(*ours("srun -N2 /usr/bin/id -u"), user=ALICE) == f"{ALICE}\n{ALICE}\n"
    assert "nd[1-2]" in login.ok(*ours("sinfo -h"), user=BOB)
    held = login.ok(*ours("sbatch --parsable -H --wrap hostname"), user=ALICE).strip()
    refused = login.run(*ours(f"scancel {held}"), user=BOB)
    assert refused.status and "Access/permission denied" in refused.err
    login.ok(*ours(f"scancel {held}"), user=ALICE)
    assert not list(machines.root.rglob("slurm.key"))


def test_the_controller_and_slurmd_find_each_other_again_after_any_of_them_was_restarted(lab: Lab) -> None:
    machines = lab.machines
    machines["nd1"].kill("slurmd")
    machines["nd1"].start("slurmd")
    machines.until_idle()
    machines["head"].kill("slurmctld")
    for name in ("authority.key", "credential.key"):
        (machines["head"].run_folder / "state" / name).unlink()  # a new authority: certificates of before are worth nothing
    machines["head"].start("slurmctld")
    machines.until_idle()
    assert sorted(machines["head"].ok("srun", "-N2", "hostname", user=ALICE).split()) == ["nd1", "nd2"]


def test_a_false_controller_is_told_nothing_and_believed_nothing(lab: Lab) -> None:
    machines = lab.machines
    head, login = machines["head"], machines["login"]
    head.kill("slurmctld")
    false = head.spawn(head.python, "-c", _FALSE_CONTROLLER, user=BOB)
    assert false.stdout is not None and false.stdout.readline() == "listening\n"
    answer = login.run(*ours("sinfo"), user=ALICE)
    assert answer.status == 1 and "Protocol authentication error" in answer.err and "it answered as uid 65534" in answer.err, answer
    machines["nd1"].kill("slurmd")
    machines["nd1"].start("slurmd")
    machines.until(lambda: "it answered as uid 65534" in machines["nd1"].log("slurmd"), why="slurmd did not notice")
    for process in [*psutil.Process(false.pid).children(recursive=True), psutil.Process(false.pid)]:
        process.kill()
    heard = false.communicate()[0].split("\n")
    # What it heard is for root's eyes, and good for its own certificate only.
    assert all(line.startswith(("Hello ", "opened: 18")) for line in heard if line), heard
    head.start("slurmctld")
    machines.until_idle()
    token = next(line.removeprefix("Hello ") for line in heard if line.startswith("Hello "))
    replayed = login.run(login.python, "-c", _REPLAY, token, user=BOB)
    assert "refused: Protocol authentication error" in replayed.out, replayed
    assert "Traceback" not in head.log("slurmctld")


def test_without_munged_everything_says_what_to_do_and_goes_on_once_it_runs(lab: Lab) -> None:
    machines = lab.machines
    login = machines["login"]
    lab.munged["login"].stop()
    answer = login.run(*ours("squeue"), user=ALICE)
    assert answer.status == 1 and "munged does not answer at /run/munge/socket" in answer.err and "systemctl start munge" in answer.err
    lab.munged["login"].start()
    login.ok(*ours("squeue"), user=ALICE)
    machines["nd2"].kill("slurmd")
    machines["head"].kill("slurmctld")
    for name in ("head", "nd2"):
        lab.munged[name].stop()
        machines[name].start("slurmctld" if name == "head" else "slurmd")
    machines.until(lambda: "only this machine is served until then" in machines["head"].log("slurmctld"), why="slurmctld did not say it")
    machines.until(lambda: "munged does not answer" in machines["nd2"].log("slurmd"), why="slurmd did not say it")
    assert machines["head"].run("squeue").status == 0, "its own machine is served"
    lab.start("head", "nd2")
    machines.until_idle()


def test_a_user_gets_no_certificate_of_a_daemon(lab: Lab) -> None:
    machines = lab.machines
    for user, role, name, why in ((BOB, "slurmd", "nd1", "for root's or SlurmUser's daemons"), (0, "slurmctld", "head", "one of: slurmd, sackd, sackd-admin"),
                                  (0, "slurmd", "nd9", "not in the controller's slurm.conf")):
        answer = machines["login"].run(machines["login"].python, "-c", _ENROL, role, name, user=user)
        assert why in answer.out, answer


_FALSE_CONTROLLER = """
import json, os, socket, ssl, sys, tempfile
from slurm.net.authority import Authority
from slurm.net.framing import FrameBuffer
from slurm.net.munge import Munge
from slurm.net.munge_proof import Answer, fingerprint
from slurm.net.tls import Trust
from slurm.wire import frames
held = Authority(b"mine" * 8, "lab").credentials("slurmctld", "head")
context = Trust(held).server_context(anonymous=True)
context.verify_mode = ssl.CERT_NONE
der = ssl.PEM_cert_to_DER_cert(held.own.certificate.decode())
listener = socket.create_server(("0.0.0.0", 6817), reuse_port=False)
print("listening", flush=True)
munge = Munge("/run/munge/socket")
while True:
    stream, _ = listener.accept()
    try:
        stream = context.wrap_socket(stream, server_side=True)
        buffer = FrameBuffer()
        while (frame := buffer.take()) is None:
            data = stream.recv(65536)
            if not data:
                break
            buffer.feed(data)
        if frame is None:
            continue
        token = json.loads(frame[1])["token"]
        print("Hello", token, flush=True)
        try:
            print("opened:", munge.open(token), flush=True)
        except Exception as error:
            print("opened: 18", flush=True)
        reply = {"type": "Welcome", "token": munge.seal(Answer("lab", fingerprint(der), "0").text(), reader=5 if os.getuid() else 0)}
        for reader in (5, 0):
            reply["token"] = munge.seal(Answer("lab", fingerprint(der), "0").text(), reader=reader)
            if (reader == 5) == ("login" in str(stream.getpeername()) or stream.getpeername()[0].endswith(".9")):
                break
        stream.sendall(frames.pack(frames.JSON, json.dumps(reply).encode()))
        stream.settimeout(2)
        data = stream.recv(65536)
        if data:
            print("told", data, flush=True)
    except OSError:
        continue
"""
_REPLAY = """
import socket, sys
from slurm.net.client import Connection
from slurm.net.endpoint import tcp
from slurm.net.munge_client import secured
from slurm.model.errors import SlurmError
stream = secured(socket.create_connection(("10.231.0.1", 6817)))
try:
    print(Connection(stream, tcp("10.231.0.1", 6817)).call({"type": "Hello", "token": sys.argv[1]}, 10))
except SlurmError as error:
    print("refused:", *error.lines())
"""
_ENROL = """
import os, sys
from slurm.model.errors import SlurmError
from slurm.net import enrolment
from slurm.net.discovery import find_site
try:
    print(enrolment.ask(find_site(os.environ), sys.argv[1], sys.argv[2], {0}))
except SlurmError as error:
    print(*error.lines())
"""
