"""The extern step of a job as its user sees it (PrologFlags=Contain), and windows of its programs (X11), through the commands."""

from __future__ import annotations

import os
import secrets
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm.notation import xauthority
from slurm.wire import x11_setup
from tests.system.harness import Cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("extern") / "c", "--nodes", "2", "--cpus", "4")
    try:
        cluster.up()
        conf = cluster.folder / "slurm.conf"
        conf.write_text(conf.read_text() + "PrologFlags=X11\n")
        cluster.ok("scontrol", "reconfigure")
        yield cluster
    finally:
        cluster.close()


def test_a_job_holds_an_extern_step_on_each_node_from_its_first_moment_to_its_end(cluster: Cluster) -> None:
    job = cluster.sbatch("-N2", "-n2", "-o", "/dev/null", "--wrap", "sleep 100")
    cluster.until_state(job, "RUNNING")
    cluster.until(lambda: "batch" in cluster.ok("squeue", "-h", "-s", "-j", job), why="no batch step")
    rows = [line.split() for line in cluster.ok("squeue", "-h", "-s", "-j", job, "-o", "%i %j %u %N").splitlines()]
    user = rows[0][2]
    assert rows == [[f"{job}.batch", "batch", user, "cn01"], [f"{job}.extern", "extern", user, "cn[01-02]"]]
    shown = cluster.ok("scontrol", "show", "step", f"{job}.extern")
    assert f"StepId={job}.extern UserId={os.getuid()} " in shown
    assert "   State=RUNNING Partition=debug NodeList=cn[01-02]\n   Nodes=2 CPUs=0 Tasks=2 Name=extern Network=(null)\n   TRES=(null)\n" in shown
    listed = [line.split()[1:3] for line in cluster.ok("scontrol", "listpids", job, env={"SLURMD_NODENAME": "cn02"}).splitlines()]
    assert [job, "extern"] in listed
    cluster.kill("slurmd-cn02")
    cluster.ok("scancel", job)
    cluster.until(lambda: "CG" in cluster.ok("squeue", "-h", "-j", job, "-o", "%t"), why="cn02 is not waited for")
    cluster.ok(sys.executable, "-m", "slurm.slurmd", "-f", str(cluster.folder / "slurm.conf"), "-N", "cn02")
    cluster.until_ended(job)
    rows = [line.split("|") for line in cluster.ok("sacct", "-nP", "-j", job, "-o", "JobID,JobName,State,ExitCode,NTasks,NNodes,Layout").splitlines()]
    assert rows[1:] == [[f"{job}.batch", "batch", "CANCELLED", "0:15", "1", "1", "Unknown"],
        [f"{job}.extern", "extern", "COMPLETED", "0:0", "2", "2", "Unknown"]]
    tres = dict(zip(*[iter(cluster.ok("sacct", "-nP", "-j", job, "-o", "JobIDRaw,AllocTRES").replace("\n", "|").split("|")[:-1])] * 2, strict=True))
    assert tres[f"{job}.extern"] == tres[job] and "billing" not in tres[f"{job}.batch"]



CLIENT = """
import os, socket, struct, sys
from slurm.notation import xauthority
number = int(os.environ["DISPLAY"].partition(":")[2].partition(".")[0])
entries = xauthority.parse(open(os.environ.get("XAUTHORITY") or os.environ["HOME"] + "/.Xauthority", "rb").read())
own = [(xauthority.LOCAL, os.uname().nodename.encode())]
cookie = bytes(16) if "forged" in sys.argv else xauthority.cookie_for(entries, own, number)
head = b"l\\0" + struct.pack("<HHHHH", 11, 0, len(xauthority.COOKIE), len(cookie), 0)
with socket.create_connection(("localhost", 6000 + number)) as stream:
    stream.sendall(head + xauthority.COOKIE + b"\\0\\0" + cookie)
    stream.sendall(b"x" * 300_000)
    said = b""
    while len(said) < 300_007 and (data := stream.recv(65536)):
        said += data
print(os.environ["DISPLAY"], os.environ["SLURMD_NODENAME"], cookie.hex(), len(said), said[:7])
"""


class Screen:
    """An X server of a kind: who shows its cookie is greeted, and hears again what it says. `proofs` are those that were shown."""

    def __init__(self, folder: Path) -> None:
        self.cookie = secrets.token_bytes(16)
        self.proofs: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        port = self.listener.getsockname()[1]
        authority = folder / "own_xauthority"
        authority.write_bytes(xauthority.show([xauthority.entry(xauthority.LOCAL, os.uname().nodename.encode(), port - 6000, self.cookie)]))
        self.environment = {"DISPLAY": f"localhost:{port - 6000}.1", "XAUTHORITY": str(authority)}
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            with stream:
                come = bytearray()
                while (setup := x11_setup.taken(come)) is None:
                    come += stream.recv(65536)
                self.proofs.append(setup.data)
                stream.sendall(b"welcome")
                left = 300_000 - len(come)
                stream.sendall(come)
                while left:
                    data = stream.recv(65536)
                    left -= len(data)
                    stream.sendall(data)


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    found = Screen(tmp_path)
    yield found
    found.listener.close()


def test_windows_of_a_steps_programs_come_to_where_srun_was_called_by_a_cookie_of_their_own(cluster: Cluster, screen: Screen) -> None:
    (cluster.work / "client.py").write_text(CLIENT)
    client = (sys.executable, "client.py")
    shown, node, cookie, size, greeting = cluster.ok("srun", "-N2", "--x11=last", "-n2", "bash", "-c",
        f"[ $SLURM_PROCID = 0 ] && echo $DISPLAY >&2 || {' '.join(client)}", env=screen.environment).split()
    assert shown.startswith("localhost:") and shown.endswith(".1") and int(shown[10:-2]) >= 20 and node == "cn02"
    assert (size, greeting) == ("300007", "b'welcome'")
    assert screen.proofs == [screen.cookie] and cookie != screen.cookie.hex(), "the nodes do not learn it"
    result = cluster.run("srun", "--x11", *client, "forged", env=screen.environment)
    assert result.out.split()[3:] == ["0", "b''"] and len(screen.proofs) == 1, result
    mode = cluster.ok("srun", "--x11", sys.executable, "-c", "import os; print(os.stat(os.environ['XAUTHORITY']).st_mode)", env=screen.environment)
    assert stat.S_IMODE(int(mode)) == 0o600
    nested = cluster.ok("salloc", "-Q", "--x11", "srun", "bash", "-c", f"srun --overlap {' '.join(client)}", env=screen.environment)
    assert nested.split()[3:] == ["300007", "b'welcome'"] and screen.proofs[1:] == [screen.cookie], "a step of a step reaches it too"


def test_srun_without_a_display_that_it_could_open_says_so_as_slurm_does(cluster: Cluster, screen: Screen) -> None:
    for display, said in (("", "No DISPLAY variable set, cannot setup x11 forwarding."),
            ("elsewhere", "Error parsing DISPLAY environment variable. Cannot use X11 forwarding."),
            (":4711", "Cannot stat() local X11 socket `/tmp/.X11-unix/X4711`"),
            ("localhost:4711", "x11_get_xauth: Could not retrieve magic cookie. Cannot use X11 forwarding.")):
        for command in ("srun", "salloc"):
            result = cluster.run(command, "--x11", "true", env={**screen.environment, "DISPLAY": display})
            assert (result.status, result.err.splitlines()[0]) == (1, f"{command}: error: {said}")
    result = cluster.run("srun", "--x11=some", "true", env=screen.environment)
    assert (result.status, result.err) == (1, "srun: error: Invalid --x11 specification: some\nsrun: hint: valid: all, batch, first, last\n")
