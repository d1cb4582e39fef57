"""srun to other machines, as ordinary users over a network that somebody listens to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.system.machines import ALICE, BOB, Machines, why_not
from tests.system.terminal import Terminal

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

_SNIFFER = """
import socket, sys
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
wire.bind((sys.argv[1], 0))
with open(sys.argv[2], "wb", buffering=0) as file:
    print("listening", flush=True)
    while True:
        file.write(wire.recv(70000))
"""
_SECRET = "Sesame-4711"


class Sniffer:
    """Everything that passes a machine's cable."""

    def __init__(self, machines: Machines, name: str) -> None:
        self.path = machines.root / f"capture-{name}"
        self._process = subprocess.Popen(
            [*machines.switch.prefix(), sys.executable, "-c", _SNIFFER, f"p-{name}", str(self.path)], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "listening\n"

    def stop(self) -> bytes:
        self._process.kill()
        self._process.wait(10)
        return self.path.read_bytes()


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    with Machines(nodes=2, cpus=4, login=True) as found:
        found.up()
        found.give_key("login", found.key)
        found["login"].start("sackd")
        yield found


def test_nobody_on_the_wire_reads_anything_of_a_step(machines: Machines) -> None:
    head = machines["head"]
    sniffer = Sniffer(machines, "nd1")
    shown = head.ok(
        "srun", "-w", "nd1", "sh", "-c", f"cat; echo out {_SECRET}; echo $PASSWORD; id -u", user=ALICE, stdin=f"in {_SECRET}\n",
        env={"PASSWORD": f"env {_SECRET}"})
    assert shown == f"in {_SECRET}\nout {_SECRET}\nenv {_SECRET}\n{ALICE}\n"
    seen = sniffer.stop()
    assert len(seen) > 4000 and b"TKT1" in seen, "the sniffer heard the step"
    assert _SECRET.encode() not in seen and b"PASSWORD" not in seen and b"credential" not in seen and b"PRIVATE" not in seen


def test_a_job_on_one_machine_has_tasks_on_another_with_input_labels_signals_and_exit_codes(machines: Machines) -> None:
    head = machines["head"]
    script = "srun -l hostname; echo hi | srun -N2 --ntasks-per-node=1 cat; srun -w nd2 -N1 id -un; srun -N1 -w nd2 sh -c 'exit 7'; echo $?"
    job = head.ok("sbatch", "--parsable", "-W", "-N2", "--wrap", script, user=ALICE).strip()
    lines = (machines.work / f"slurm-{job}.out").read_text().split("\n")
    assert sorted(lines[:2]) == ["0: nd1", "1: nd2"] and lines[2:4] == ["hi", "hi"] and lines[4] == "games", lines
    assert lines[5] == "srun: error: nd2: task 0: Exited with exit code 7" and lines[6] == "7", lines
    waiting = head.spawn("srun", "-v", "-w", "nd2", "sh", "-c", "trap 'echo got it; exit 3' USR1; echo ready; while :; do sleep 0.05; done", user=ALICE)
    assert waiting.stdout is not None and waiting.stdout.readline() == "ready\n"
    srun = next(process for process in psutil.Process(waiting.pid).children(recursive=True) or [psutil.Process(waiting.pid)])
    srun.send_signal(10)
    out, err = waiting.communicate(timeout=30)
    assert out == "got it\n" and waiting.returncode == 3, (out, err)


def test_a_user_of_a_login_machine_runs_steps_on_the_nodes(machines: Machines) -> None:
    login = machines["login"]
    machines.until(lambda: login.run("sinfo", "-h", user=ALICE).status == 0, why="sackd carries no commands")
    assert sorted(login.ok("srun", "-N2", "-l", "sh", "-c", "echo $(hostname) $(id -u)", user=ALICE).splitlines()) == [f"0: nd1 {ALICE}", f"1: nd2 {ALICE}"]


@pytest.mark.parametrize("key", ["mine", "nd1's"])
def test_a_false_slurmd_is_told_nothing(machines: Machines, key: str) -> None:
    """Whoever has the port while slurmd is down, with a certificate of his own making; or root of another node, with that node's."""
    head, node = machines["head"], machines["nd2"]
    job = head.ok("sbatch", "--parsable", "-w", "nd2", "--wrap", "sleep 100", user=ALICE).strip()
    head.ok("scontrol", "wait_job", job)
    node.kill("slurmd")
    authority = "6d696e65" * 8 if key == "mine" else machines.key.hex()
    false = node.spawn(node.python, "-c", _FALSE_SLURMD, authority, "nd2" if key == "mine" else "nd1", user=BOB if key == "mine" else 0)
    assert false.stdout is not None and false.stdout.readline() == "listening\n"
    answer = head.run("srun", f"--jobid={job}", "hostname", user=ALICE, env={"SECRET": _SECRET})
    why = "not issued under a key that is trusted here" if key == "mine" else "its certificate is that of slurmd nd1, not of slurmd nd2"
    assert answer.status and why in answer.err, answer
    for process in [*psutil.Process(false.pid).children(recursive=True), psutil.Process(false.pid)]:
        process.kill()
    assert "told" not in false.communicate()[0]
    node.start("slurmd")
    head.ok("scancel", job, user=ALICE)
    machines.until_idle()


def test_a_terminal_reaches_the_other_machine(machines: Machines) -> None:
    head = machines["head"]
    terminal = Terminal(
        [*head.prefix(ALICE, machines.work), "srun", "--pty", "-w", "nd1", "sh", "-c", "stty size; read x; echo got $x on $(hostname)"],
        head.environment, Path("/"), columns=91, lines=37)
    terminal.until("37 91")
    terminal.type("word\n")
    terminal.until("got word on nd1")
    assert terminal.status() == 0


def test_output_goes_on_while_slurmd_is_killed_there(machines: Machines) -> None:
    head, node = machines["head"], machines["nd2"]
    srun = head.spawn("srun", "-w", "nd2", "sh", "-c", "echo first; read x; for i in 1 2 3 4 5; do echo $i; sleep 0.2; done; exit 5", user=ALICE)
    assert srun.stdout is not None and srun.stdin is not None and srun.stdout.readline() == "first\n"
    node.kill("slurmd")
    srun.stdin.write("go\n")
    srun.stdin.flush()
    assert srun.stdout.readline() == "1\n"
    node.start("slurmd")
    out, _ = srun.communicate(timeout=30)
    assert out == "2\n3\n4\n5\n" and srun.returncode == 5
    machines.until_idle()


def test_a_srun_waits_for_a_slurmd_that_is_being_restarted(machines: Machines) -> None:
    head, node = machines["head"], machines["nd2"]
    job = head.ok("sbatch", "--parsable", "-w", "nd2", "--wrap", "sleep 100", user=ALICE).strip()
    head.ok("scontrol", "wait_job", job)
    node.kill("slurmd")
    srun = head.spawn("srun", f"--jobid={job}", "hostname", user=ALICE)
    machines.until(lambda: f"Job {job}: step 0" in head.log("slurmctld"), why="the step was not granted")
    node.start("slurmd")
    out, err = srun.communicate(timeout=60)
    assert out == "nd2\n" and srun.returncode == 0, err
    head.ok("scancel", job, user=ALICE)
    machines.until_idle()


def test_another_user_does_not_get_into_a_step_by_its_credential(machines: Machines) -> None:
    head = machines["head"]
    job = head.ok("sbatch", "--parsable", "-w", "nd1", "--wrap", "sleep 60", user=ALICE).strip()
    stolen = head.ok(head.python, "-c", _STEAL, job, user=ALICE)
    attack = head.run(head.python, "-c", _USE, stolen, user=BOB)
    assert "belongs to uid 5, you are uid 65534" in attack.out, attack
    owner = head.run(head.python, "-c", _USE, stolen, user=ALICE)
    assert "uid=5(games)" in owner.out, owner
    again = head.run(head.python, "-c", _USE, stolen, user=ALICE)
    assert "uid=5(games)" not in again.out and '"status": 0' in again.out, again
    assert "user 65534: a step is refused: Access/permission denied" in machines["nd1"].log("slurmd")
    head.ok("scancel", job, user=ALICE)


def test_a_step_on_its_own_machine_uses_the_socket_and_loads_no_ssl(machines: Machines) -> None:
    node = machines["nd1"]
    script = f"{node.python} -X importtime -P /run/bin/srun -N1 -w nd1 hostname 2>imports; {node.python} -X importtime -P /run/bin/srun -N1 -w nd2 hostname 2>others"
    job = machines["head"].ok("sbatch", "--parsable", "-W", "-N2", "--wrap", script, user=ALICE).strip()
    assert (machines.work / f"slurm-{job}.out").read_text() == "nd1\nnd2\n"
    modules = {line.rpartition("|")[2].strip() for line in (machines.work / "others").read_text().splitlines()}
    assert "slurm.commands.launching.secured" in modules and "ssl" in modules
    modules = {line.rpartition("|")[2].strip() for line in (machines.work / "imports").read_text().splitlines()}
    assert "slurm.commands.launching.link" in modules and "slurm.commands.launching.secured" not in modules


def test_much_output_passes_quickly_between_machines(machines: Machines) -> None:
    """150 MB a second and more, on a processor each: what other tests take of the processors does not count."""
    head = machines["head"]
    used = head.ok("bash", "-c", "TIMEFORMAT='%U %S'; { time srun -w nd1 head -c 400000000 /dev/zero | wc -c; } 2>&1", user=ALICE).split()
    assert used[0] == "400000000"
    assert 400 / (float(used[1]) + float(used[2])) > 150, f"{used} s of processor time for srun and wc"


_FALSE_SLURMD = """
import socket, ssl, sys
from slurm.net.authority import Authority
from slurm.net.tls import Trust
held = Authority(bytes.fromhex(sys.argv[1]), "lab").credentials("slurmd", sys.argv[2])
context = Trust(held).server_context(anonymous=True)
context.verify_mode = ssl.CERT_NONE
listener = socket.create_server(("0.0.0.0", 6818))
print("listening", flush=True)
while True:
    stream, _ = listener.accept()
    try:
        data = context.wrap_socket(stream, server_side=True).recv(65536)
    except OSError:
        continue
    if data:
        print("told", data, flush=True)
"""
_STEAL = """
import os, sys
from slurm.net import client
with client.connect(os.environ) as c:
    g = c.call({"type": "CreateStep", "job_id": int(sys.argv[1]), "request": {"ntasks": 1, "nodes_min": 1, "mem_per_node": 10}})
    print(g["credential"], g["layout"][0]["address"], sys.argv[1])
"""
_USE = """
import json, os, sys
from slurm.commands.launching.controller import Controller
from slurm.commands.launching.link import Link
from slurm.commands.launching.loop import Loop
from slurm.commands.launching.secured import Ways
from slurm.net.endpoint import parse
credential, address, job = sys.argv[1].split()
own = os.popen("sbatch --parsable -w nd1 --wrap 'sleep 60'").read().strip()
loop = Loop()
os.popen(f"scontrol wait_job {own}").read()
ways = Ways(loop, Controller(os.environ), int(own))
over = []
link = Link(loop, "nd1", [0], lambda link, kind, rank, data: print(kind, data.decode()), lambda link: over.append(1), lambda link, message, hints: over.append(print(message, hints)))
link.open(parse(address), {"type": "LaunchStep", "credential": credential, "ranks": [0], "ntasks": 1, "node_rank": 0, "argv": ["id"],
    "environment": {"PATH": "/bin:/usr/bin"}, "work_dir": "/"}, ways.to)
loop.run(lambda: bool(over))
os.popen(f"scancel {own}").read()
"""
