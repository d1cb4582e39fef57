"""Cloud nodes with the programs of examples/cloud, which start and end real slurmds: switched on for jobs, off when idle, one never comes up."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.system.harness import SOURCE, commands_folder

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "cloud"
WAIT_SECONDS = 40.0


class Site:
    """A cluster of two cloud nodes, and of what slurmd -Z and scontrol make of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.conf = root / "slurm.conf"
        (root / "state").mkdir()
        self.conf.write_text(f"""ClusterName=burst
SlurmctldHost={os.uname().nodename}
SlurmUser={'root' if os.geteuid() == 0 else os.environ.get('USER', 'nobody')}
AuthType=auth/local
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool/%n
SlurmctldPidFile={root}/ctld.pid
SlurmdPidFile={root}/slurmd.%n.pid
SlurmctldLogFile={root}/ctld.log
SlurmdLogFile={root}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
MaxNodeCount=5
ResumeProgram={EXAMPLES}/burst_to_cloud
SuspendProgram={EXAMPLES}/suspend_cloud_nodes
SuspendTime=1
SuspendTimeout=1
ResumeTimeout=12
NodeName=burst[1-2]-{os.getpid()} CPUs=2 RealMemory=1000 State=CLOUD
PartitionName=cloud Nodes=ALL Default=YES
""")
        kept = {key: text for key, text in os.environ.items() if not key.startswith(("SLURM", "SBATCH", "SRUN", "SINFO"))}
        self.environment = {
            **kept, "SLURM_CONF": str(self.conf), "PYTHONPATH": SOURCE,
            "PATH": f"{commands_folder(root)}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    def run(self, *words: str) -> str:
        done = subprocess.run(words, cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=40, check=False)
        assert done.returncode == 0, f"{words}: {done}\n{self.logs()}"
        return done.stdout

    def logs(self) -> str:
        return "\n".join(f"--- {path}\n{path.read_text()}" for path in [*self.root.glob("*.log"), *self.root.glob("cloud/log")])

    def wait(self, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not what():
            assert time.monotonic() < deadline, f"{self.states()}\n{self.logs()}"
            time.sleep(0.2)

    def states(self) -> dict[str, str]:
        return dict(line.split() for line in self.run("sinfo", "-h", "-N", "-o", "%N %t").splitlines())

    def close(self) -> None:
        for path in self.root.glob("*.pid"):
            try:
                process = psutil.Process(int(path.read_text()))
                if "slurm" in " ".join(process.cmdline()):
                    process.terminate()
                    process.wait(10)
            except (psutil.Error, ValueError):
                continue


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


def test_a_burst_starts_machines_for_jobs_ends_them_when_idle_and_goes_round_one_that_never_comes_up(site: Site) -> None:
    good, broken = (f"burst{i}-{os.getpid()}" for i in (1, 2))
    (site.root / "cloud").mkdir()
    (site.root / "cloud" / f"{broken}.broken").touch()
    site.run("slurmctld")
    site.wait(lambda: site.states() == {good: "idle~", broken: "idle~"})
    job = site.run("sbatch", "--parsable", "-w", broken, "-o", "never", "--wrap", "true").strip()
    site.run("sbatch", "-w", good, "-o", "out", "--wrap", "echo $SLURMD_NODENAME")
    site.wait(lambda: (site.root / "out").exists() and (site.root / "out").read_text() == f"{good}\n")
    assert f'"job_id": {int(job) + 1}' in (site.root / "cloud" / "last-resume.json").read_text()
    dynamic = f"z-{os.getpid()}"
    site.run("slurmd", "-Z", "-N", dynamic, "--conf", "CPUs=2 RealMemory=500 Feature=fast")
    site.wait(lambda: dynamic in site.states())
    site.wait(lambda: site.states() == {good: "idle~", broken: "down~", dynamic: "idle~"})
    assert "Reason=ResumeTimeout reached" in site.run("scontrol", "show", "node", broken)
    assert job in site.run("squeue", "-h", "-o", "%i", "-t", "PD").split() and not (site.root / "never").exists()
    site.run("scontrol", "delete", f"nodename={dynamic}")
    assert dynamic not in site.states()
