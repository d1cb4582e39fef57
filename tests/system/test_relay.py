"""Commands where the controller is elsewhere: from a login machine through its sackd, from inside jobs through their node's slurmd."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator

import pytest

from tests.system.machines import ALICE, BOB, Machine, Machines, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())
HOLD = """
import json, socket, struct, sys, time
held = []
while len(held) < int(sys.argv[2]):
    one = socket.socket(socket.AF_UNIX)
    try:
        one.connect(sys.argv[1])
        one.sendall(b"SP" + bytes([int(sys.argv[3])]) + b"J" + struct.pack("!I", 15) + b'{"type":"Ping"}')
    except OSError:
        time.sleep(0.01)
        continue
    held.append(one)
print("held", flush=True)
time.sleep(600)
"""


def _with_sackd(machines: Machines, *flags: str) -> Machine:
    login = machines["login"]
    login.start("sackd", *flags)
    machines.until(lambda: "are carried to cluster" in login.log("sackd"), why="sackd does not register")
    return login


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    """A cluster with a login machine whose sackd speaks for ordinary users."""
    with Machines(nodes=2, login=True, key=lambda name: True) as made:
        made.up()
        _with_sackd(made)
        yield made


def test_a_user_works_from_the_login_machine_as_on_the_controllers_own(machines: Machines) -> None:
    login = machines["login"]
    job = login.ok("sbatch", "--parsable", "-W", "-o", "out-%j", "--wrap", "id -u", user=ALICE).strip()
    assert (machines.work / f"out-{job}").read_text() == f"{ALICE}\n"
    assert login.ok("srun", "-N2", "-l", "sh", "-c", "echo $SLURMD_NODENAME", user=ALICE).splitlines() in (
        ["0: nd1", "1: nd2"], ["1: nd2", "0: nd1"])
    assert login.ok("salloc", "-N1", "srun", "id", "-u", user=BOB) == f"{BOB}\n"
    held = login.ok("sbatch", "--parsable", "-H", "--wrap", "true", user=ALICE).strip()
    assert login.ok("squeue", "-h", "-o", "%i %U", user=BOB).split() == [held, str(ALICE)]
    assert "Access/permission denied" in login.run("scancel", held, user=BOB).err
    assert f"JobId={held} " in login.ok("scontrol", "show", "job", held, user=ALICE)
    login.ok("scancel", held, user=ALICE)


def test_a_job_submits_and_starts_steps_from_its_node(machines: Machines) -> None:
    script = "srun -l hostname; squeue -h -o %U -j $SLURM_JOB_ID; sbatch --parsable -W -o /dev/null --wrap true; scontrol show job $SLURM_JOB_ID | head -1"
    job = machines["login"].ok("sbatch", "--parsable", "-W", "-N2", "-o", "inner-%j", "--wrap", script, user=ALICE).strip()
    out = (machines.work / f"inner-{job}").read_text()
    assert {"0: nd1", "1: nd2", str(ALICE)} <= set(out.splitlines()) and f"JobId={job} " in out, out


def test_who_has_no_job_on_a_node_is_sent_to_a_login_machine(machines: Machines) -> None:
    refused = machines["nd1"].run("squeue", user=BOB)
    assert refused.status == 1 and "Protocol authentication error" in refused.err
    assert f"uid {BOB} has no job on nd1" in refused.err and "sackd" in refused.err
    assert f"slurmd of nd1 may not speak for uid {BOB}" in machines["head"].log("slurmctld")


@pytest.mark.parametrize(("name", "told"), [("login", "no certificate of an administration host"), ("nd1", "root has no job on nd1")])
def test_root_elsewhere_is_not_root_of_the_cluster(machines: Machines, name: str, told: str) -> None:
    refused = machines[name].run("scontrol", "update", "nodename=nd2", "state=drain", "reason=x")
    assert refused.status == 1 and told in refused.err, refused
    assert re.search(rf"{name} may not speak for uid 0 \(pid \d+\): ", machines["head"].log("slurmctld"))
    assert machines.states() == {"nd1": "idle", "nd2": "idle"}


def test_an_allocation_survives_a_killed_controller_and_one_whose_sackd_was_killed_is_given_back(machines: Machines) -> None:
    head, login = machines["head"], machines["login"]
    first = login.spawn("salloc", "-N1", "sh", "-c", "echo $SLURM_JOB_ID; read go; srun hostname", user=ALICE)
    assert first.stdout is not None and first.stdin is not None
    job = first.stdout.readline().strip()
    head.kill("slurmctld")
    head.start("slurmctld")
    machines.until(lambda: login.run("squeue", "-h", "-j", job, "-o", "%T", user=ALICE).out.strip() == "RUNNING", why="the controller is not back")
    machines.until_idle("nd2")
    first.stdin.write("go\n")
    first.stdin.flush()
    out, err = first.communicate(timeout=60)
    assert first.returncode == 0 and out.strip() == "nd1", (out, err, machines["head"].logs())
    machines.until_idle()
    second = login.spawn("salloc", "-N1", "sh", "-c", "read go", user=ALICE)
    machines.until(lambda: login.ok("squeue", "-h", "-u", str(ALICE), "-o", "%T", user=BOB).split() == ["RUNNING"], why="salloc has nothing")
    login.kill("sackd")
    _with_sackd(machines)
    second.communicate("go\n", timeout=60)
    machines.until(lambda: not login.ok("squeue", "-h", "-u", str(ALICE), user=BOB), why="the allocation is kept", seconds=90)


def test_a_killed_slurmd_ends_the_commands_of_its_node_and_its_jobs_go_on(machines: Machines) -> None:
    login, node = machines["login"], machines["nd1"]
    script = "squeue -h -o %T -j $SLURM_JOB_ID; touch began; until [ -e go ]; do sleep 0.1; done; squeue -h -o %T -j $SLURM_JOB_ID"
    job = login.ok("sbatch", "--parsable", "-w", "nd1", "-o", "kill-%j", "--wrap", script, user=ALICE).strip()
    machines.until((machines.work / "began").exists, why="the job does not begin")
    registered = node.log("slurmd").count("is registered")
    node.kill("slurmd")
    node.start("slurmd")
    machines.until(lambda: node.log("slurmd").count("is registered") > registered, why="slurmd is not back")
    (machines.work / "go").touch()
    machines.until(lambda: login.ok("squeue", "-h", "-t", "all", "-j", job, "-o", "%T", user=ALICE).strip() == "COMPLETED", why="it does not end")
    assert (machines.work / f"kill-{job}").read_text() == "RUNNING\nRUNNING\n"


def test_five_thousand_idle_connections_of_one_user_lock_nobody_out(machines: Machines) -> None:
    from slurm.wire import frames

    login = machines["login"]
    (machines.work / "hold.py").write_text(HOLD)
    holders = [login.spawn("sh", "-c", f"ulimit -n $(ulimit -Hn); exec {login.python} hold.py /run/sackd.relay 1250 {frames.VERSION}", user=ALICE) for _ in range(4)]
    try:
        time.sleep(3)
        began = time.monotonic()
        assert login.run("squeue", user=BOB).status == 0
        assert machines["head"].run("squeue").status == 0
        assert time.monotonic() - began < 10
    finally:
        for holder in holders:
            holder.kill()
            holder.communicate()
    assert login.run("squeue", user=ALICE).status == 0


def test_a_machine_without_a_daemon_works_with_a_token() -> None:
    with Machines(nodes=1, login=True, conf="AuthAltTypes=auth/jwt\nAuthAltParameters=jwt_key=/run/slurm/jwt.key\n") as made:
        login, head = made["login"], made["head"]
        made.give_key("head", os.urandom(32), "jwt.key")
        made.up()
        nobody = login.run("squeue", user=ALICE)
        assert nobody.status == 1 and "start sackd here" in nobody.err and "SLURM_JWT" in nobody.err
        name, _, token = head.ok("scontrol", "token", "lifespan=600", user=ALICE).strip().partition("=")
        assert name == "SLURM_JWT"
        (login.run_folder / "slurm" / "ca_cert.pem").write_text(head.ok("slurm", "cert", "show", "--authorities"))
        script = "id -u; env | grep -c SLURM_JWT; srun id -u"
        job = login.run("sbatch", "--parsable", "-W", "-o", "jwt-%j", "--wrap", script, user=BOB, env={name: token}).out.strip()
        assert (made.work / f"jwt-{job}").read_text() == f"{ALICE}\n0\n{ALICE}\n"
        again = login.run("scontrol", "token", env={name: token})
        assert again.status == 1 and "a token makes no further token" in again.err
        assert "only root and SlurmUser make tokens for others" in head.run("scontrol", "token", "username=root", user=ALICE).err
        root = head.ok("scontrol", "token", "username=root").strip().partition("=")[2]
        login.ok("scontrol", "update", "nodename=nd1", "state=drain", "reason=x", user=BOB, env={name: root})
        short = head.ok("scontrol", "token", "username=root", "lifespan=1").strip().partition("=")[2]
        time.sleep(7.1)
        for worthless, why in ((short, "the token has expired"), (token[:-4] + "AAAA", "not signed"), ("none", "none of ours")):
            refused = login.run("squeue", env={name: worthless})
            assert refused.status == 1 and why in refused.err, refused
        assert "Protocol authentication error; the token has expired" in head.log("slurmctld")


def test_a_machine_with_a_certificate_of_an_administration_host_speaks_for_root() -> None:
    with Machines(nodes=1, login=True) as made:
        made.up()
        login, head = made["login"], made["head"]
        login.start("sackd")
        assert login.daemons["sackd"].wait(30) == 1
        assert "has nothing to prove itself by" in login.log("sackd") and "slurm cert make" in login.log("sackd")
        folder = login.run_folder / "slurm"
        head.ok("slurm", "cert", "make", "sackd-admin", "login", "-o", "cert")
        for path in (made.work / "cert").iterdir():
            shutil.copy(path, folder)
        _with_sackd(made)
        login.ok("scontrol", "update", "nodename=nd1", "state=drain", "reason=from login")
        assert made.states() == {"nd1": "drained"}
        assert not os.path.exists(folder / "slurm.key")
