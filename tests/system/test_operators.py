"""What an operator relies on, with root's daemons and ordinary users: SlurmUser, locks, log rotation, a state folder that vanishes, shutdown."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.system.machines import BOB, Machine, Machines, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

SLURM_USER = 1
"""A user without rights that every /etc/passwd has: daemon."""
SLOW = """
import fcntl, sys, time
file = open(sys.argv[1], "rb")
getattr(fcntl, sys.argv[2])(file, fcntl.LOCK_EX if sys.argv[2] == "flock" else fcntl.LOCK_SH)
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    with Machines(nodes=2, conf="SlurmUser=daemon\nSlurmctldPidFile=/run/slurmctld.pid\n") as made:
        for machine in made:
            os.chown(machine.run_folder / "slurm" / "slurm.key", SLURM_USER, SLURM_USER)
        _start(made["head"])
        for node in made.nodes:
            node.start("slurmd", "-L", "/run/slurmd.log")
        made.until_idle()
        yield made


def test_the_page_for_a_lab_works_on_one_small_machine_as_it_is_written() -> None:
    page = (Path(__file__).parents[2] / "docs" / "getting-started.md").read_text()
    _, one_machine = re.findall(r"```ini[^\n]*\n(.*?)```", page, re.DOTALL)
    text = one_machine.replace("/var/", "/run/").replace("=head", "=localhost").replace("SlurmUser=slurm", "SlurmUser=daemon")
    with Machines(nodes=0) as machines:
        head = machines["head"]
        (head.run_folder / "slurm" / "slurm.conf").write_text(text + "SlurmctldPidFile=/run/slurmctld.pid\n")
        checked = head.ok(head.python, "-m", "slurm.slurmctld", "-t", "-f", "/run/slurm/slurm.conf")
        assert checked.endswith("2 nodes, 128 CPUs, 1 partition (default: main), 0 warnings\n")
        head.start("slurmctld")
        for node in ("node01", "node02"):
            head.daemons[node] = head.start("slurmd", "-N", node)
        del head.daemons["slurmd"]
        machines.until_idle("node01", "node02")
        seen = head.ok("srun", "-N2", "-n8", "--mem-per-cpu=1G", "printenv", "SLURMD_NODENAME", user=BOB)
        assert sorted(set(seen.split())) == ["node01", "node02"]


def _start(head: Machine) -> None:
    head.start("slurmctld", "-L", "/run/slurmctld.log", "-i", "-R", "-s")


def _controller(head: Machine) -> psutil.Process:
    return psutil.Process(head.pid_of("slurmctld"))


def test_slurmctld_becomes_slurm_user_to_whom_state_and_key_belong_and_works_after_each_kind_of_restart(machines: Machines) -> None:
    head = machines["head"]
    for end in (head.stop, head.kill, None):
        process = _controller(head)
        assert process.uids() == (SLURM_USER,) * 3 and process.gids() == (SLURM_USER,) * 3
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert "CapEff:\t0000000000000000" in status and "CapPrm:\t0000000000000000" in status
        state = head.run_folder / "state"
        assert {path.stat().st_uid for path in [state, *state.iterdir()]} == {SLURM_USER}
        assert state.stat().st_mode & 0o777 == 0o700
        assert head.ok("srun", "id", "-u", user=BOB) == f"{BOB}\n"
        assert head.ok("sbatch", "--parsable", "-W", "--wrap", "srun true", user=BOB).strip().isdigit()
        if end is not None:
            end("slurmctld")
            _start(head)
            machines.until_idle()
    assert "slurmctld runs as SlurmUser daemon (uid 1) from here on" in head.log("slurmctld")


@pytest.mark.parametrize("kind", ["flock", "lockf"])
def test_a_user_who_locks_the_pid_files_keeps_no_daemon_from_starting(machines: Machines, kind: str) -> None:
    for machine, program in ((machines["head"], "slurmctld"), (machines["nd1"], "slurmd")):
        machine.kill(program)
        script = machines.work / "lock.py"
        script.write_text(SLOW)
        holder = machine.spawn(machine.python, str(script), f"/run/{program}.pid", kind, user=BOB)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        machine.start(program, "-L", f"/run/{program}.log")
        machines.until_idle()
        assert holder.poll() is None
        holder.kill()
        holder.wait()


def test_the_logrotate_stanza_of_the_manual_opens_the_logs_again(machines: Machines) -> None:
    for machine, program in ((machines["head"], "slurmctld"), (machines["nd1"], "slurmd")):
        path = machine.run_folder / f"{program}.log"
        process = psutil.Process(machine.pid_of(program))
        os.rename(path, f"{path}.1")
        path.touch()  # `create 640 slurm root`, as the stanza has it
        os.chown(path, process.uids().real, -1)
        assert machine.run("pkill", "-x", "--signal", "SIGUSR2", program, user=BOB).status != 0
        machine.ok("pkill", "-x", "--signal", "SIGUSR2", program)
        os.kill(process.pid, signal.SIGHUP)
        machines.until(lambda path=path: "was read again" in path.read_text(), why=f"{path} is not written")
        for number in (signal.SIGUSR1, signal.SIGTSTP, signal.SIGXCPU, signal.SIGQUIT, signal.SIGALRM, signal.SIGPIPE):
            os.kill(process.pid, number)
        assert process.is_running()
    assert machines["head"].ok("srun", "hostname", user=BOB).startswith("nd")


def test_a_state_folder_that_was_emptied_is_written_anew_and_one_that_is_gone_stops_submissions(machines: Machines) -> None:
    head = machines["head"]
    state = head.run_folder / "state"
    held = head.ok("sbatch", "--parsable", "-H", "--wrap", "true", user=BOB).strip()
    for path in state.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    after = head.ok("sbatch", "--parsable", "-H", "--wrap", "true", user=BOB).strip()
    assert "was removed by somebody while slurmctld runs: it was written anew" in head.log("slurmctld")
    shutil.move(state, machines.root / "elsewhere")
    machines.until(lambda: "is gone with its folder" in head.log("slurmctld"), why="nobody looks at the state folder")
    refused = head.run("sbatch", "-H", "--wrap", "true", user=BOB)
    assert refused.status == 1 and "gone with its folder" in refused.err
    state.mkdir(mode=0o700)
    os.chown(state, SLURM_USER, SLURM_USER)
    machines.until(lambda: head.run("sbatch", "-H", "--wrap", "true", user=BOB).status == 0, why="it does not recover")
    head.kill("slurmctld")
    _start(head)
    machines.until_idle()
    assert {held, after} <= set(head.ok("squeue", "-h", "-o", "%i").split())
    head.ok("scancel", "-u", "nobody")


@pytest.mark.parametrize(("spoil", "said"), [
    (lambda state: state.chmod(0o1777), "cannot be trusted: its mode is 1777: others may write it"),
    (lambda state: os.chown(state, BOB, -1), f"cannot be trusted: it belongs to uid {BOB}"),
    (lambda state: os.chown(state / "credential.key", BOB, -1), f"credential.key cannot be trusted: it belongs to uid {BOB}"),
    (lambda state: (state / "credential.key").chmod(0o644), "credential.key cannot be trusted: others may read it")])
def test_a_state_that_others_could_have_written_is_refused(machines: Machines, spoil: object, said: str) -> None:
    head = machines["head"]
    head.stop("slurmctld")
    state = head.run_folder / "state"
    assert callable(spoil)
    spoil(state)
    _start(head)
    assert head.daemons.pop("slurmctld").wait(20) == 1
    assert said in head.log("slurmctld")
    for path, mode in ((state, 0o700), (state / "credential.key", 0o600)):
        os.chown(path, SLURM_USER, SLURM_USER)
        path.chmod(mode)
    _start(head)
    machines.until_idle()


def test_ping_says_at_once_that_the_controller_is_down(machines: Machines) -> None:
    head = machines["head"]
    head.stop("slurmctld")
    began = time.monotonic()
    seen = head.run("scontrol", "ping")
    assert (seen.status, seen.out) == (1, "Slurmctld(primary) at head is DOWN\n")
    assert time.monotonic() - began < 1.5
    _start(head)
    machines.until_idle()


def test_shutdown_right_after_a_restart_reaches_every_slurmd(machines: Machines) -> None:
    head = machines["head"]
    head.kill("slurmctld")
    machines.until(lambda: all("cannot connect" in node.log("slurmd")[-2000:] for node in machines.nodes), why="slurmds notice nothing")
    _start(head)
    machines.until(lambda: head.run("scontrol", "ping").status == 0, why="the controller does not answer")
    head.ok("scontrol", "shutdown")
    for machine, program in ((head, "slurmctld"), *((node, "slurmd") for node in machines.nodes)):
        assert machine.daemons.pop(program).wait(20) == 0, machine.name
