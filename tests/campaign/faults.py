"""What is done to the machines, each with its undoing: killed and stopped processes, cut cables, full disks, clocks that jump, machines that are started anew."""

from __future__ import annotations

import os
import random
import signal
import struct
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import psutil

from tests.campaign.history import Fault
from tests.system.machines import Machine, Machines

_CLOCK = """
import mmap, os, struct, time
with open("/run/clock", "rb") as file:
    offset = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)
real = time.time
time.time = lambda: real() + struct.unpack_from("d", offset)[0]
"""
"""The sitecustomize of the daemons: the clock that they all ask can be set, by eight bytes of a file. (libfaketime sets more, and uvloop spins under it.)"""
SILENT_SECONDS = 6
"""SlurmdTimeout of the campaign."""
STATE_MB = 96
SPOOL_MB = 24
ZYGOTE = "slurmd: zygote"


def uptime() -> float:
    """Seconds since the kernel started, as jobs note them: nobody's clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Faults:
    """Does one thing after the other; `done` is what was done, `surprises` what should not have happened at all."""

    def __init__(self, machines: Machines, seed: int) -> None:
        self.done: list[Fault] = []
        self.surprises: list[str] = []
        self._machines = machines
        self._random = random.Random(seed)
        self._clock = machines.work / "clock"
        self._clock.mkdir()
        (self._clock / "sitecustomize.py").write_text(_CLOCK)
        self._kinds: list[tuple[int, str, Callable[[], tuple[str, bool]]]] = [
            (6, "kill -9 slurmctld", self._kill_controller), (2, "slurmctld stopped in order and started", self._restart_controller),
            (5, "kill -9 slurmd", self._kill_slurmd), (3, "kill -9 zygote", self._kill_zygote), (3, "kill -9 slurmstepd", self._kill_stepd),
            (2, "kill -9 of slurmd, zygote and every slurmstepd at once", self._kill_all), (2, "SIGSTOP of slurmctld, up to 4 s", self._pause_controller),
            (3, "SIGSTOP of slurmd, up to 4 s", self._pause_slurmd), (1, "SIGSTOP of slurmd beyond SlurmdTimeout", self._pause_slurmd_long),
            (4, "cable cut, up to 4 s", self._cut), (2, "cable cut beyond SlurmdTimeout", self._cut_long), (2, "controller's disk full", self._fill_state),
            (1, "node's disk full", self._fill_spool), (1, "node started anew", self._reboot), (1, "configuration read again", self._reconfigure),
            (2, "controller's clock jumps", self._jump_controller), (2, "node's clock jumps", self._jump_node)]

    @property
    def counted(self) -> dict[str, int]:
        """How often each thing was done."""
        done = Counter(fault.name for fault in self.done)
        return {name: done[name] for _, name, _ in self._kinds}

    def up(self) -> None:
        """Start the daemons, on disks that can be filled and under clocks that can be set."""
        head = self._machines["head"]
        self._disk(head, "/run/state", STATE_MB)
        self._start(head, "slurmctld")
        for node in self._machines.nodes:
            if node.name == self._small:
                self._disk(node, "/run/spool", SPOOL_MB)
            self._start(node, "slurmd")
        self._machines.until_idle()

    @property
    def _small(self) -> str:
        """The node whose disk can be filled; it is never started anew, which would empty it."""
        return self._machines.nodes[0].name

    def go_on(self, seconds: float) -> None:
        """Do one thing after the other for so long; everything is undone when this returns. To be called where the machines were made: they end with that thread."""
        weights = [weight for weight, _, _ in self._kinds]
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._wait(0.3, 3.0)
            _, name, act = self._random.choices(self._kinds, weights)[0]
            began = uptime()
            try:
                machine, lethal = act()
            except Exception as error:  # noqa: BLE001 - it is told at the end; the campaign goes on
                self.surprises.append(f"{name}: {error!r}")
                continue
            self.done.append(Fault(name, machine, began, uptime(), lethal))

    # --- machines ----------------------------------------------------------------------------------------------------------

    def _start(self, machine: Machine, program: str) -> None:
        clock = machine.run_folder / "clock"
        if not clock.exists():
            clock.write_bytes(struct.pack("d", 0.0))
        machine.start(program, env={"PYTHONPATH": os.pathsep.join((str(self._clock), machine.environment["PYTHONPATH"]))})

    def _disk(self, machine: Machine, path: str, size: int) -> None:
        machine.ok("sh", "-c", f"mkdir -p {path} && mount -t tmpfs -o size={size}m,mode=755 tmpfs {path}")

    def _wait(self, least: float, most: float) -> None:
        time.sleep(self._random.uniform(least, most))

    def _node(self) -> Machine:
        return self._random.choice(self._machines.nodes)

    def _end(self, machine: Machine, program: str, number: int) -> None:
        """End a daemon that is there; one that ended by itself is told."""
        process = machine.daemons[program]
        if process.poll() is not None:
            said = machine.log(program).rstrip().rpartition("\n")[2]
            if "make room" not in said:  # one that was still starting when its disk became full says so, and ends: its service manager starts it again
                self.surprises.append(f"{program} on {machine.name} had ended by itself with {process.returncode}: {said}")
            machine.daemons.pop(program)
        else:
            hears = _hears(machine.pid_of(program), number)
            status = machine.stop(program, number=number)
            if number == signal.SIGTERM and status and (hears or status != -number):
                self.surprises.append(f"{program} on {machine.name} ended with {status} when it was asked to end")
        self._wait(0.0, 1.5)
        self._start(machine, program)

    def _kill_controller(self) -> tuple[str, bool]:
        self._end(self._machines["head"], "slurmctld", signal.SIGKILL)
        return "head", False

    def _restart_controller(self) -> tuple[str, bool]:
        self._end(self._machines["head"], "slurmctld", signal.SIGTERM)
        return "head", False

    def _kill_slurmd(self) -> tuple[str, bool]:
        node = self._node()
        self._end(node, "slurmd", signal.SIGKILL)
        return node.name, False

    def _kill_zygote(self) -> tuple[str, bool]:
        node = self._node()
        zygotes = supervisors(node, ZYGOTE)
        for process in zygotes:
            # What it has just forked bears its title still, and is a slurmstepd already, whose end is its job's.
            with suppress(psutil.NoSuchProcess):
                if process.ppid() not in {each.pid for each in zygotes}:
                    process.kill()
        return node.name, False

    def _kill_stepd(self) -> tuple[str, bool]:
        node = self._node()
        found = supervisors(node, "slurmstepd: [")
        if found:
            with suppress(psutil.NoSuchProcess):
                self._random.choice(found).kill()
        return node.name, True

    def _kill_all(self) -> tuple[str, bool]:
        node = self._node()
        slurmd = psutil.Process(node.pid_of("slurmd"))
        for process in (slurmd, *supervisors(node, ZYGOTE), *supervisors(node, "slurmstepd")):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        node.daemons.pop("slurmd").wait(30)
        self._wait(0.0, 1.5)
        self._start(node, "slurmd")
        return node.name, True

    def _pause(self, machine: Machine, program: str, least: float, most: float) -> str:
        pid = machine.pid_of(program)
        os.kill(pid, signal.SIGSTOP)
        try:
            self._wait(least, most)
        finally:
            os.kill(pid, signal.SIGCONT)
            machine.daemons[program].send_signal(signal.SIGCONT)  # nsenter stops with what it runs
        return machine.name

    def _pause_controller(self) -> tuple[str, bool]:
        return self._pause(self._machines["head"], "slurmctld", 0.5, 4), False

    def _pause_slurmd(self) -> tuple[str, bool]:
        return self._pause(self._node(), "slurmd", 0.5, 4), False

    def _pause_slurmd_long(self) -> tuple[str, bool]:
        return self._pause(self._node(), "slurmd", SILENT_SECONDS + 2, SILENT_SECONDS + 8), True

    def _cut_for(self, least: float, most: float) -> str:
        node = self._node()
        node.cut()
        try:
            self._wait(least, most)
        finally:
            node.mend()
        return node.name

    def _cut(self) -> tuple[str, bool]:
        return self._cut_for(0.2, 4), False

    def _cut_long(self) -> tuple[str, bool]:
        return self._cut_for(SILENT_SECONDS + 2, SILENT_SECONDS + 10), True

    def _fill(self, machine: Machine, path: str) -> None:
        machine.run("dd", "if=/dev/zero", f"of={path}/filler", "bs=64k")
        try:
            self._wait(1, 5)
        finally:
            machine.ok("rm", "-f", f"{path}/filler")

    def _fill_state(self) -> tuple[str, bool]:
        self._fill(self._machines["head"], "/run/state")
        return "head", False

    def _fill_spool(self) -> tuple[str, bool]:
        self._fill(self._machines[self._small], "/run/spool")
        return self._small, True

    def _reboot(self) -> tuple[str, bool]:
        node = self._random.choice(self._machines.nodes[1:])
        node.reboot()
        self._start(node, "slurmd")
        return node.name, True

    def _reconfigure(self) -> tuple[str, bool]:
        self._machines["head"].run("scontrol", "reconfigure")
        return "head", False

    def _jump(self, machine: Machine) -> None:
        with open(machine.run_folder / "clock", "r+b") as file:
            file.write(struct.pack("d", self._random.choice((-86400.0, -1200.0, -30.0, 0.0, 30.0, 600.0, 172800.0))))

    def _jump_controller(self) -> tuple[str, bool]:
        self._jump(self._machines["head"])
        return "head", False

    def _jump_node(self) -> tuple[str, bool]:
        node = self._node()
        self._jump(node)
        return node.name, False


def _hears(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal: one that was started a moment ago is still being loaded, and ends by it as any program does."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        caught = next(int(line.split()[1], 16) for line in file if line.startswith("SigCgt:"))
    return bool(caught & 1 << (number - 1))


def inside(machine: Machine) -> list[psutil.Process]:
    """The processes of a machine, its first one left out."""
    space = os.readlink(f"/proc/{machine.pid}/ns/pid")
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != machine.pid and os.readlink(f"/proc/{process.pid}/ns/pid") == space and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (OSError, psutil.Error):
            continue
    return found


def supervisors(machine: Machine, title: str) -> list[psutil.Process]:
    """The processes of a machine whose title begins so."""
    return [process for process in inside(machine) if title_of(process).startswith(title)]


def title_of(process: psutil.Process) -> str:
    """What `ps` shows of it."""
    try:
        return " ".join(process.cmdline()).strip()
    except psutil.Error:
        return ""
