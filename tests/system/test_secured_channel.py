"""Attacks between machines, as an ordinary user or as root of one node against root's daemons: nothing succeeds, each is logged.

Of the commands' and srun's connections see test_relay and test_step_channel; here slurmctld and slurmd.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.machines import ALICE, Machine, Machines, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

# What the attackers' programs share. They know the protocol as well as we do.
ATTACKER = """
import json, msgspec, os, socket, sys, time
from slurm.net.authority import Authority
from slurm.net.framing import FrameBuffer
from slurm.net.tls import Credentials, Pair, Tls, Trust
from slurm.wire import frames, node_messages as n, messages as m
enc = msgspec.msgpack.Encoder().encode

class End:
    def __init__(self, stream, trust=None, server=False, anonymous=False):
        self.stream, self.buffer = stream, FrameBuffer()
        self.tls = Tls(trust, server=server, anonymous=anonymous) if trust else None
        stream.settimeout(10)
        while self.tls and not self.tls.handshake():
            stream.sendall(self.tls.outgoing())
            data = stream.recv(65536)
            if not data:
                raise ConnectionResetError("hung up in the handshake")
            self.tls.feed(data)
        if self.tls:
            stream.sendall(self.tls.outgoing())

    def send(self, message, codec=frames.MSGPACK):
        frame = frames.pack(codec, enc(message) if codec == frames.MSGPACK else json.dumps(message).encode())
        if self.tls:
            self.tls.write(frame)
            frame = self.tls.outgoing()
        self.stream.sendall(frame)

    def receive(self):
        while (frame := self.buffer.take()) is None:
            data = self.stream.recv(65536)
            if not data:
                return None
            if self.tls:
                self.tls.feed(data)
                data = self.tls.read()
            self.buffer.feed(data)
        return (msgspec.msgpack if frame[0] == frames.MSGPACK else msgspec.json).decode(frame[1])

def evil(uid=0):
    return n.LaunchBatch(job=777, attempt=1, shown_id="777", uid=uid, gid=uid, user="root", script="#!/bin/sh\\ntouch " + os.path.abspath("OWNED") + "\\n",
        argv=[], environment={"PATH": "/bin:/usr/bin"}, work_dir="/", stdin="/dev/null", stdout="/dev/null", stderr="/dev/null", append=False, umask=0)

def registration(name):
    return n.RegisterNode(node=name, cpus=2, boards=1, sockets=1, cores_per_socket=2, threads_per_core=1, memory=2000, tmp_disk=0, arch="x", os="x",
        version="x", boot_time=1.0, slurmd_start_time=1.0, endpoint="tcp://10.231.0.11:6818", hostname=name, port=6818)

def false_controller(trust):
    "Answers whoever registers by an order to run a script as root."
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", 6817)); listener.listen(16); listener.settimeout(30)
    print("listening", flush=True)
    while True:
        stream, where = listener.accept()
        try:
            end = End(stream, trust, server=True, anonymous=True) if trust else End(stream)
            end.send(n.NodeAccepted(kill_wait=3, heartbeat=5.0, cluster_name="lab"))
            end.send(evil())
            print("told", where[0], end.receive(), flush=True)
        except Exception as error:
            print("failed", where[0], repr(error), getattr(error, "hints", ""), flush=True)
"""


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    """Two nodes: nd1 has its certificate, nd2 the key."""
    with Machines(key=lambda name: name in ("head", "nd2")) as found:
        give_certificate(found, "nd1")
        found.up()
        yield found


def give_certificate(machines: Machines, name: str) -> None:
    """What an administrator does: make it where the key is, bring it to the node."""
    made = machines.work / f"made-{name}"
    machines["head"].ok("slurm", "cert", "make", "slurmd", name, "-o", str(made))
    for file in made.iterdir():
        shutil.copy(file, machines[name].run_folder / "slurm" / file.name)
    shutil.rmtree(made)


class Attack:
    """A program of an attacker at work on a machine."""

    def __init__(self, machine: Machine, code: str, user: int) -> None:
        self.process: subprocess.Popen[str] = machine.spawn(machine.python, "-c", ATTACKER + code, user=user)
        self.lines: list[str] = []

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None and self.process.stderr is not None
        found = self.process.stdout.readline().strip()
        if not found:
            raise AssertionError(f"the attacker's program failed: {self.lines} {self.process.stderr.read()}")
        self.lines.append(found)
        return found

    def end(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.communicate()


def attack(machine: Machine, code: str, *, user: int = 0) -> str:
    """Run an attacker's program to its end; what it prints."""
    return machine.ok(machine.python, "-c", ATTACKER + code, user=user)


def untouched(machines: Machines) -> bool:
    return not (machines.work / "OWNED").exists() and "777" not in machines.logs()


def test_a_node_with_a_certificate_runs_jobs_as_one_with_the_key(machines: Machines) -> None:
    assert not (machines["nd1"].run_folder / "slurm" / "slurm.key").exists()
    machines["head"].ok("sbatch", "-W", "-N2", "-o", "out-%j", "--wrap", "hostname", user=ALICE)
    assert machines["head"].ok("squeue", "-h", "-t", "all", "-o", "%T").split() == ["COMPLETED"]


@pytest.mark.parametrize("trust", ["None", 'Trust(Authority(b"my own key", "lab").credentials("slurmctld", "head"))'], ids=["plain", "own certificate"])
def test_whoever_binds_the_port_while_slurmctld_is_down_is_nobody(machines: Machines, trust: str) -> None:
    head = machines["head"]
    head.stop("slurmctld")
    attacker = Attack(head, f"false_controller({trust})", ALICE)
    try:
        assert attacker.line() == "listening"
        seen: set[str] = set()
        while len(seen) < 2:
            what, node, *_ = attacker.line().split()
            seen.add(node)
            # Whatever it heard is a ClientHello, which names nobody.
            assert what in ("failed", "told") and "nd" not in attacker.lines[-1].replace(node, ""), attacker.lines
        machines.until(lambda: all("cannot connect, trying on" in node.log("slurmd") for node in machines.nodes), why="the nodes say nothing")
    finally:
        attacker.end()
    head.start("slurmctld")
    machines.until_idle()
    assert untouched(machines)


def test_a_rooted_nodes_certificate_is_no_other_node_no_controller_and_no_user(machines: Machines) -> None:
    said = attack(machines["nd1"], """
folder = "/run/slurm/"
read = lambda name: open(folder + name, "rb").read()
trust = Trust(Credentials("lab", Pair(read("slurmd_cert.pem"), read("slurmd_cert_key.pem")), read("ca_cert.pem")))
for message, codec in ((registration("nd2"), frames.MSGPACK), ({"type": "UpdateNode", "nodes": "nd2", "changes": {"state": "drain"}}, frames.JSON),
                       ({"type": "Shutdown"}, frames.JSON)):
    end = End(socket.create_connection(("10.231.0.1", 6817), 10), trust)
    end.send(message, codec)
    print(json.dumps(end.receive()))
end = End(socket.create_connection(("10.231.0.1", 6817), 10), trust)
end.send(n.JobGone(serial=1, job=1, attempt=1))
print(json.dumps(end.receive()))
""")
    answers = [json.loads(line) for line in said.splitlines()]
    assert [answer and answer["type"] for answer in answers] == ["Failure", "Failure", "Failure", None], answers
    assert "that of slurmd nd1, not of slurmd nd2" in str(answers[0])
    assert "registration as node nd2 refused" in machines["head"].log("slurmctld")
    assert machines.states() == {"nd1": "idle", "nd2": "idle"}
    refused = machines["nd1"].run(machines["nd1"].python, "-m", "slurm.slurmd", "-D", "-N", "nd2", env={"SLURM_CONF": "/run/slurm/slurm.conf"}, timeout=20)
    assert refused.status == 1


def test_a_rooted_node_that_takes_the_controllers_address_gives_no_orders(machines: Machines) -> None:
    head, rooted, other = machines["head"], machines["nd1"], machines["nd2"]
    head.cut()
    rooted.stop("slurmd")
    rooted.ok("ip", "address", "add", "10.231.0.1/24", "dev", "eth0")
    attacker = Attack(rooted, """
read = lambda name: open("/run/slurm/" + name, "rb").read()
false_controller(Trust(Credentials("lab", Pair(read("slurmd_cert.pem"), read("slurmd_cert_key.pem")), read("ca_cert.pem"))))
""", 0)
    try:
        assert attacker.line() == "listening"
        other.kill("slurmd")
        other.ok("ip", "neighbour", "flush", "all")  # the attacker would say whose address it is now
        other.start("slurmd")
        machines.until(lambda: "its certificate is that of slurmd nd1, not of slurmctld" in other.log("slurmd"), why="nd2 does not say whom it refused")
    finally:
        attacker.end()
        rooted.ok("ip", "address", "del", "10.231.0.1/24", "dev", "eth0")
        head.mend()
        other.ok("ip", "neighbour", "flush", "all")
        rooted.start("slurmd")
    machines.until_idle()
    assert untouched(machines)


def test_what_is_said_to_a_false_daemon_is_of_no_use_at_the_true_one(machines: Machines) -> None:
    """A recorded connection, played again: its keys are of that connection only."""
    said = attack(machines["nd2"], """
import threading
taken = []
listener = socket.create_server(("127.0.0.1", 0))
def relay():
    "A man in the middle between a true slurmd's certificate and the controller, who keeps what passes."
    inner, _ = listener.accept()
    outer = socket.create_connection(("10.231.0.1", 6817))
    def pump(a, b, keep):
        while data := a.recv(65536):
            if keep: taken.append(data)
            b.sendall(data)
    threading.Thread(target=pump, args=(outer, inner, False), daemon=True).start()
    pump(inner, outer, True)
threading.Thread(target=relay, daemon=True).start()
key = open("/run/slurm/slurm.key", "rb").read()
end = End(socket.create_connection(listener.getsockname()), Trust(Authority(key, "lab").credentials("slurmd", "nd2")))
end.send(registration("nd2"))
assert end.receive()["type"] == "NodeAccepted"
assert b"nd2" not in b"".join(taken)
again = socket.create_connection(("10.231.0.1", 6817)); again.settimeout(10)
again.sendall(b"".join(taken))
answered = b""
try:
    while data := again.recv(65536): answered += data
except ConnectionResetError: pass
print(len(taken) > 1, b"Accepted" in answered)
""")
    assert said.split() == ["True", "False"]
    machines.until_idle()


def test_a_revoked_certificate_is_refused_at_once_and_its_live_connection_ends(machines: Machines) -> None:
    head, node = machines["head"], machines["nd1"]
    assert machines.states()["nd1"] == "idle"
    head.ok("slurm", "cert", "revoke", "slurmd", "nd1")
    machines.until(lambda: re.search(r"dropped: the certificate \w+ of slurmd nd1 was revoked", head.log("slurmctld")), why="it is still connected", seconds=10)
    machines.until(lambda: "slurmctld refuses this node" in node.log("slurmd") and "was revoked" in node.log("slurmd"), why="the node is not told")
    node.stop("slurmd")
    give_certificate(machines, "nd1")
    node.start("slurmd")
    machines.until_idle()


def test_the_key_is_replaced_while_jobs_run_and_no_connection_is_missed(machines: Machines) -> None:
    head, node, other = machines["head"], machines["nd1"], machines["nd2"]
    job = head.ok("sbatch", "--parsable", "-N2", "-o", "rotated", "--wrap", "until [ -e rotated.gate ]; do sleep 0.1; done; echo well", user=ALICE).strip()
    machines.until(lambda: head.ok("squeue", "-h", "-j", job, "-o", "%T").strip() == "RUNNING", why="the job does not start")

    def taken_up(*names: str) -> None:
        """Every daemon has read its files again since the last call."""
        for name in names:
            program = "slurmctld" if name == "head" else "slurmd"
            machines.until(lambda n=name, p=program: machines[n].log(p).count("the certificates were read again") > seen.get(n, 0),  # type: ignore[misc]
                           why=f"{name} does not take up its files")
            seen[name] = machines[name].log(program).count("the certificates were read again")

    def bring(*files: str) -> None:
        for file in files:
            shutil.copy(head.run_folder / "slurm" / file, other.run_folder / "slurm" / file)
        (node.run_folder / "slurm" / "ca_cert.pem").write_text(head.ok("slurm", "cert", "show", "--authorities"))

    seen = {name: machines[name].log("slurmctld" if name == "head" else "slurmd").count("the certificates were read again") for name in ("head", "nd1", "nd2")}
    head.ok("slurm", "cert", "rotate", "begin")
    bring("slurm.key.next")
    taken_up("head", "nd1", "nd2")
    head.ok("slurm", "cert", "rotate", "switch")
    taken_up("head")
    node.kill("slurmd")  # one that connects anew just now has the old certificate still
    node.start("slurmd")
    machines.until(lambda: node.log("slurmd").count("is registered with cluster") > 1, why="the node does not come back")
    bring("slurm.key.old")
    bring("slurm.key")
    (other.run_folder / "slurm" / "slurm.key.next").unlink()
    give_certificate(machines, "nd1")
    time.sleep(1.5)
    head.ok("slurm", "cert", "rotate", "finish")
    machines.until(lambda: "not trusted (any longer)" in head.log("slurmctld"), why="a connection under the old key goes on")
    (other.run_folder / "slurm" / "slurm.key.old").unlink()
    bring()
    machines.until(lambda: set(machines.states().values()) <= {"allocated", "mixed"}, why="a node does not come back under the new key")
    (machines.work / "rotated.gate").touch()
    machines.until(lambda: head.ok("squeue", "-h", "-t", "all", "-j", job, "-o", "%T").strip() == "COMPLETED", why="the job did not end well")
    assert (machines.work / "rotated").read_text() == "well\n"
    assert "Requeue" not in head.ok("scontrol", "show", "job", job).replace("Requeue=", "")
    machines.until_idle()


def test_a_sniffer_reads_nothing_of_a_job(machines: Machines) -> None:
    secrets = {"script": "Schnappmull", "variable": "Wunderhorn", "argument": "Kieselgur"}
    with machines.sniffed() as packets:
        script = machines.work / "secret.sh"
        script.write_text(f"#!/bin/sh\n# {secrets['script']}\ntouch ran\n")
        machines["head"].ok("sbatch", "-W", "-o", "/dev/null", str(script), secrets["argument"], user=ALICE, env={"DEEP": secrets["variable"]})
        assert (machines.work / "ran").exists()
        machines.until(lambda: packets.stat().st_size > 5000, why="the sniffer sees nothing")
    seen = Path(packets).read_bytes()
    assert seen.count(b"\x0a\xe7\x00\x01") > 10  # the head's address: it did listen
    found = [name for name, word in secrets.items() if word.encode() in seen]
    assert not found, f"on the wire in clear: {found}"


def test_a_thousand_half_open_handshakes_from_a_node_keep_not_even_its_own_slurmd_out(machines: Machines) -> None:
    node, head = machines["nd1"], machines["head"]
    attacker = Attack(node, """
trust = Trust(Credentials("lab", None, Authority(b"x", "lab").certificate))
tls = Tls(trust, server=False); tls.handshake(); hello = tls.outgoing()
held = []
def more(size):
    try:
        stream = socket.create_connection(("10.231.0.1", 6817), 5); stream.sendall(hello[:size]); held.append(stream)
    except OSError: pass
for number in range(1000): more(100 if number % 2 else len(hello))
print("open", flush=True)
while True:
    del held[:100]
    for number in range(100): more(100 if number % 2 else len(hello))
""", ALICE)
    try:
        assert attacker.line() == "open"
        began = time.monotonic()
        node.kill("slurmd")
        registered = node.log("slurmd").count("is registered with cluster")
        node.start("slurmd")
        machines.until(lambda: node.log("slurmd").count("is registered with cluster") > registered, why="the node is kept out", seconds=10)
        assert time.monotonic() - began < 10
        began = time.monotonic()
        head.ok("squeue", user=ALICE)
        assert time.monotonic() - began < 3
    finally:
        attacker.end()
    assert "made room for others" in head.log("slurmctld")
    machines.until_idle()
