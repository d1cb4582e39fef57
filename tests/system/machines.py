"""Several machines on one: each a network, mount, process and host-name namespace of its own, joined by a switch that can cut them off.

    with Machines(nodes=2) as machines:
        machines.up()
        machines["nd1"].ok("srun", "hostname", user=ALICE)
        machines["nd1"].cut()                # as if its cable were pulled; `mend` puts it back
        machines["head"].stop("slurmctld")   # SIGTERM; kill("slurmctld") is SIGKILL
        machines["nd1"].reboot()             # everything there is gone, another boot id

The controller is `head` (with controllers=2 `head2` stands by), nodes are nd1, nd2 …, a login node without daemons is `login` (login=True). What a machine has below /run is its own, and lies
at `machine.run` for the test to see; all else is shared, as on a cluster with a common file system. Daemons run as root, `user=` runs a command as one.
Everything hangs on the first process of each machine: when those are killed, the kernel takes networks, mounts and processes with them.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from slurm.slurmd.remains import instance_of
from slurm.slurmd.stepd.cgroup import remove_empty
from tests.system.harness import COMMANDS, WAIT_SECONDS, Result

ALICE, BOB = 5, 65534
"""Ordinary users that are in every /etc/passwd: games and nobody."""
NETWORK = "10.231.0."
LOGIN_HOST = 9
FIRST_NODE = 11
PORT, NODE_PORT = 6817, 6818

CONF = """
ClusterName=lab
{controllers}
AuthType={auth}
SlurmUser=root
StateSaveLocation={state}
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmdSpoolDir=/run/spool
ReturnToService=2
KillWait=2
SlurmdParameters=config_overrides
SelectTypeParameters=CR_Core
PartitionName=debug Nodes=ALL Default=YES
"""

# The first process of a machine: it says that it is ready, and buries the orphans.
_INIT = """
import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(1, 9)  # PR_SET_PDEATHSIG: nothing outlives the test
print("up", flush=True)
while True:
    try:
        os.wait()
    except ChildProcessError:
        time.sleep(0.05)
"""


_SNIFF = """
import socket, sys
taken = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
taken.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
print("listening", flush=True)
with open(sys.argv[1], "wb", buffering=0) as file:
    while True:
        file.write(taken.recv(65536))
"""


def why_not() -> str:
    """Why there can be no machines here, "" where there can."""
    if os.geteuid() != 0:
        return "only root can make machines of namespaces"
    if not all(map(shutil.which, ("unshare", "nsenter", "ip", "setpriv"))):
        return "unshare, nsenter, setpriv and ip are needed"
    made = subprocess.run(["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--mount-proc", "true"], capture_output=True, check=False)
    return "" if made.returncode == 0 else "this system grants no namespaces"


class Machine:
    """One machine. `run` is what it has as /run, seen from outside."""

    def __init__(self, switch: Machine | None, folder: Path, name: str, address: str, environment: dict[str, str]) -> None:
        self.name = name
        self.address = address
        self.folder = folder
        self.run_folder = folder / "run"
        self.run_folder.mkdir(parents=True)
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._environment = environment
        self._switch = switch
        self._init: subprocess.Popen[str] | None = None
        self.pid = 0
        self._boot()

    # --- the machine itself ------------------------------------------------------------------------------------------------

    def _boot(self) -> None:
        (self.folder / "boot_id").write_text(f"{uuid.uuid4()}\n")
        kinds = ["--net"] if self._switch is None else ["--net", "--mount", "--uts", "--pid", "--fork", "--kill-child"]
        self._init = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", *kinds, sys.executable, "-c", _INIT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._init.stdout is not None
        assert self._init.stdout.readline() == "up\n", f"{self.name} does not start"
        self.pid = self._init.pid if self._switch is None else psutil.Process(self._init.pid).children()[0].pid
        self._enter("ip", "link", "set", "lo", "up")
        if self._switch is None:
            self._enter("ip", "link", "add", "br0", "type", "bridge")
            self._enter("ip", "link", "set", "br0", "up")
            return
        self._connect(self._switch)
        # What runs here must be where an ordinary user may go: not in a checkout in root's home.
        places = [sys.base_prefix, *self._environment["PYTHONPATH"].split(os.pathsep)]
        python = [f"mount --bind {path} {self.run_folder}/python{number}" for number, path in enumerate(places)]
        for number in range(len(places)):
            (self.run_folder / f"python{number}").mkdir(exist_ok=True)
        self._enter("sh", "-c", "\n".join([
            "set -e", f"hostname {self.name}", "mount -t proc proc /proc", *python,
            f"mount --rbind {self.run_folder} /run",
            f"mount --bind {self.folder}/boot_id /proc/sys/kernel/random/boot_id",
            # A machine does not see what the others have as /run.
            f"mount -t tmpfs -o mode=755 tmpfs {self.folder.parent}"]))

    def _connect(self, switch: Machine) -> None:
        port = f"p-{self.name}"
        switch._enter("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(self.pid))
        switch._enter("ip", "link", "set", port, "master", "br0", "up")
        self._enter("ip", "address", "add", f"{self.address}/24", "dev", "eth0")
        self._enter("ip", "link", "set", "eth0", "up")

    def _enter(self, *words: str) -> None:
        done = subprocess.run([*self.prefix(), *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{self.name}: {words}: {done.stderr}"

    def prefix(self, user: int = 0, folder: Path = Path("/")) -> list[str]:
        """What makes a command run in this machine, as this uid, in this folder."""
        kinds = ["--net"] if self._switch is None else ["--net", "--mount", "--uts", "--pid"]
        become = [f"--reuid={user}", f"--regid={pwd.getpwuid(user).pw_gid}", "--clear-groups"] if user else []
        # nsenter forks for the process namespace: who kills it means the command.
        return ["nsenter", f"--target={self.pid}", *kinds, "--", "setpriv", "--pdeathsig", "KILL", *become, "sh", "-c", 'cd "$0" && exec "$@"', str(folder)]

    @property
    def work(self) -> Path:
        """Where commands run: the folder that all machines and users share."""
        return self.folder.parent.parent / "work"

    def off(self) -> None:
        """Power off: every process there is killed."""
        if self._init is not None:
            # The machine's first process; with it the kernel kills the others.
            os.kill(self.pid, signal.SIGKILL)
            self._init.wait(20)
            for process in self.daemons.values():
                process.wait(20)
        self._init = None
        self.daemons.clear()

    def reboot(self) -> None:
        """Power off and on: a new boot id; /run stays as it was, for what a real machine keeps on its disk is there too."""
        self.off()
        for left in [*self.run_folder.glob("*.sock"), *self.run_folder.glob("*.sack"), *self.run_folder.glob("*.pid")]:
            left.unlink()
        self._boot()

    def cut(self) -> None:
        """Pull its cable."""
        assert self._switch is not None
        self._switch._enter("ip", "link", "set", f"p-{self.name}", "down")

    def mend(self) -> None:
        """Put its cable back."""
        assert self._switch is not None
        self._switch._enter("ip", "link", "set", f"p-{self.name}", "up")

    # --- programs there ----------------------------------------------------------------------------------------------------

    def run(self, *words: str, user: int = 0, timeout: float = 60.0, stdin: str | None = None, env: dict[str, str] | None = None,
            folder: Path | None = None) -> Result:
        """Run a command to its end."""
        done = subprocess.run(
            [*self.prefix(user, folder or self.work), *words], env={**self.environment, **(env or {})},
            capture_output=True, text=True, timeout=timeout, input=stdin, check=False)
        return Result(done.returncode, done.stdout, done.stderr)

    def ok(self, *words: str, user: int = 0, timeout: float = 60.0, stdin: str | None = None, env: dict[str, str] | None = None) -> str:
        """Run a command that must succeed; its output."""
        result = self.run(*words, user=user, timeout=timeout, stdin=stdin, env=env)
        assert result.status == 0, f"{self.name}: {' '.join(words)}: {result}\n{self.logs()}"
        return result.out

    def spawn(self, *words: str, user: int = 0, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command and leave it running; the caller ends it (or `off` does)."""
        return subprocess.Popen(
            [*self.prefix(user, self.work), *words], env={**self.environment, **(env or {})}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    @property
    def environment(self) -> dict[str, str]:
        """What its programs see."""
        count = len(self._environment["PYTHONPATH"].split(os.pathsep))
        # A Python with a shared library looks for it where an ordinary user may not go, and would take the system's.
        return {**self._environment, "PYTHONPATH": os.pathsep.join(f"/run/python{number + 1}" for number in range(count)),
                "LD_LIBRARY_PATH": "/run/python0/lib"}

    @property
    def python(self) -> str:
        """A Python that an ordinary user of this machine may run; it finds slurm and its packages."""
        return _python()

    def start(self, program: str, *flags: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a daemon (slurmctld, slurmd, sackd) in the foreground, its log in /run/PROGRAM.log."""
        with open(self.run_folder / f"{program}.log", "ab") as log:
            process = subprocess.Popen(
                [*self.prefix(), self.python, "-m", f"slurm.{program}", "-D", "-v", *flags], env={**self.environment, **(env or {})},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.daemons[program] = process
        return process

    def pid_of(self, program: str) -> int:
        """The daemon's process, as seen from outside; nsenter has become it or is its parent."""
        process = psutil.Process(self.daemons[program].pid)
        children = [child for child in process.children() if process.name() == "nsenter"]
        return children[0].pid if children else process.pid

    def stop(self, program: str, *, number: int = signal.SIGTERM) -> int:
        """End a daemon; its exit status."""
        os.kill(self.pid_of(program), number)
        return self.daemons.pop(program).wait(30)

    def sleep(self, program: str) -> None:
        """Stop a daemon as a paused machine would, until `wake`."""
        os.kill(self.pid_of(program), signal.SIGSTOP)

    def wake(self, program: str) -> None:
        """Have it go on; nsenter, its parent, stops with it."""
        os.kill(self.pid_of(program), signal.SIGCONT)
        os.kill(self.daemons[program].pid, signal.SIGCONT)

    def kill(self, program: str) -> None:
        """Kill a daemon."""
        self.stop(program, number=signal.SIGKILL)

    def log(self, program: str) -> str:
        """What a daemon has said."""
        path = self.run_folder / f"{program}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def logs(self) -> str:
        """What the daemons here said last."""
        return "\n".join(f"--- {self.name} {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in sorted(self.run_folder.glob("*.log")))


class Machines:
    """A cluster of machines, its files in a folder of its own (`root`). `conf` is added to slurm.conf; `key` says who has slurm.key."""

    def __init__(self, *, nodes: int = 2, conf: str = "", login: bool = False, cpus: int = 2, memory: int = 2000,
                 key: Callable[[str], bool] = lambda name: name != "login", auth: str = "auth/slurm", controllers: int = 1, state: str = "") -> None:
        why = why_not()
        assert not why, why
        # Not pytest's temporary folder: an ordinary user cannot enter that.
        self.root = Path(tempfile.mkdtemp(prefix="slurm-machines-"))
        self.root.chmod(0o755)
        self.work = self.root / "work"
        self.work.mkdir()
        self.work.chmod(0o1777)
        self.key = os.urandom(1024)
        self.machines: dict[str, Machine] = {}
        folder = self.root / "machines"
        environment = _environment()
        self.switch = Machine(None, folder / "switch", "switch", "", environment)
        heads = {"head" if number == 0 else f"head{number + 1}": number + 1 for number in range(controllers)}
        state = state or (str(self.root / "state") if controllers > 1 else "/run/state")
        self._conf = CONF.format(controllers="\n".join(f"SlurmctldHost={name}({NETWORK}{host})" for name, host in heads.items()), auth=auth,
                                 state=state) + conf
        for number in range(nodes):
            self._conf += f"\nNodeName=nd{number + 1} NodeAddr={NETWORK}{FIRST_NODE + number} CPUs={cpus} RealMemory={memory}"
        try:
            for name, host in heads.items():
                self._add(name, host, environment, key)
            for number in range(nodes):
                self._add(f"nd{number + 1}", FIRST_NODE + number, environment, key)
            if login:
                self._add("login", LOGIN_HOST, environment, key)
        except BaseException:
            self._power_off()
            shutil.rmtree(self.root, ignore_errors=True)
            raise

    def _add(self, name: str, host: int, environment: dict[str, str], key: Callable[[str], bool]) -> None:
        made = self.machines[name] = Machine(self.switch, self.root / "machines" / name, name, f"{NETWORK}{host}", environment)
        made.run_folder.chmod(0o755)
        (made.run_folder / "slurm").mkdir()
        (made.run_folder / "slurm" / "slurm.conf").write_text(self._conf + "\n")
        if key(name):
            self.give_key(name, self.key)
        commands = made.run_folder / "bin"
        commands.mkdir()
        for command in COMMANDS:
            (commands / command).write_text(f"#!{_python()} -P\nimport sys\nfrom slurm.commands.{command} import main\nsys.exit(main())\n")
            (commands / command).chmod(0o755)

    def give_key(self, name: str, key: bytes, file: str = "slurm.key") -> None:
        """Put a key beside a machine's slurm.conf."""
        path = self[name].run_folder / "slurm" / file
        path.touch(mode=0o600)
        path.write_bytes(key)

    def __getitem__(self, name: str) -> Machine:
        return self.machines[name]

    def __iter__(self) -> Iterator[Machine]:
        return iter(self.machines.values())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close(checked=kind is None)

    @property
    def nodes(self) -> Sequence[Machine]:
        """Those on which jobs run."""
        return [machine for name, machine in self.machines.items() if name.startswith("nd")]

    def up(self) -> None:
        """Start the controller and every slurmd; returns when all nodes are idle."""
        for name, machine in self.machines.items():
            if name.startswith("head"):
                machine.start("slurmctld")
        for node in self.nodes:
            node.start("slurmd")
        self.until_idle()

    def states(self) -> dict[str, str]:
        """Node → state as sinfo on the head node shows it; none while it cannot."""
        seen = self["head"].run("sinfo", "-h", "-N", "-o", "%N %T")
        return dict(line.split() for line in seen.out.splitlines())

    def until_idle(self, *names: str, seconds: float = WAIT_SECONDS) -> None:
        """Wait until these nodes (default: all) are idle."""
        wanted = names or [node.name for node in self.nodes]
        self.until(lambda: all(self.states().get(name) == "idle" for name in wanted), why="nodes are not idle", seconds=seconds)

    def until(self, what: Callable[[], object], *, why: str, seconds: float = WAIT_SECONDS) -> None:
        """Wait until `what` is true; the failure shows what was last seen and the logs."""
        deadline = time.monotonic() + seconds
        while not (seen := what()):
            assert time.monotonic() < deadline, f"{why} within {seconds} s; last seen {seen!r}, {self.states()}\n{self.logs()}"
            time.sleep(0.1)

    @contextmanager
    def sniffed(self) -> Iterator[Path]:
        """Write every packet that passes the switch, whole, into the file that this gives."""
        path = self.root / "packets"
        sniffer = subprocess.Popen([*self.switch.prefix(), sys.executable, "-c", _SNIFF, str(path)], stdout=subprocess.PIPE, text=True)
        try:
            assert sniffer.stdout is not None and sniffer.stdout.readline() == "listening\n"
            yield path
        finally:
            sniffer.kill()
            sniffer.wait()

    def logs(self) -> str:
        """What all daemons said last."""
        return "\n".join(machine.logs() for machine in self)

    def close(self, *, checked: bool = True) -> None:
        """End the daemons in order, then everything; with `checked` none may have crashed and nothing may be left."""
        try:
            for machine in reversed(list(self)):
                for program in list(machine.daemons):
                    status = machine.stop(program)
                    assert not checked or status == 0, f"{program} on {machine.name} ended with {status}\n{self.logs()}"
            assert not checked or "Traceback" not in self.logs(), self.logs()
        finally:
            self._power_off()
        for node in self.nodes:
            _remove_cgroups(node)
        assert not _mounts_below(self.root), f"mounts are left: {_mounts_below(self.root)}"
        shutil.rmtree(self.root)

    def _power_off(self) -> None:
        for machine in [*self.machines.values(), self.switch]:
            machine.off()


def _python() -> str:
    """The interpreter as every machine has it."""
    return f"/run/python0/{Path(os.path.realpath(sys.executable)).relative_to(os.path.realpath(sys.base_prefix))}"


def _environment() -> dict[str, str]:
    """What programs see; PYTHONPATH has the places outside, `Machine.environment` those inside."""
    paths = [path for path in sys.path if path.endswith("site-packages") and os.path.isdir(path)]
    sources = str(Path(__file__).resolve().parents[2] / "src")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "SBATCH", "SRUN", "SQUEUE", "SINFO", "PYTHON", "VIRTUAL"))}
    # A Python that is a shared library looks for it where it was installed, where an ordinary user may not be allowed to look.
    return {**kept, "LD_LIBRARY_PATH": "/run/python0/lib", "SLURM_CONF": "/run/slurm/slurm.conf", "HOME": "/",
            "PYTHONPATH": os.pathsep.join(dict.fromkeys([sources, *paths])), "PATH": f"/run/bin{os.pathsep}{os.defpath}{os.pathsep}/usr/sbin{os.pathsep}/sbin"}


def _remove_cgroups(node: Machine) -> None:
    """What slurmd made, on a machine whose power went off: a real one has forgotten its cgroups."""
    steps = node.run_folder / "spool" / "steps"
    if steps.is_dir():
        name = f"slurmd_{node.name}.*.{instance_of(str(steps))}"
        for path in [*Path("/sys/fs/cgroup").glob(name), *Path("/sys/fs/cgroup").glob(f"*/{name}")]:
            remove_empty(str(path))


def _mounts_below(folder: Path) -> list[str]:
    return [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines() if line.split()[4].startswith(f"{folder}/")]
