"""Two clusters with one slurmdbd and one munge key: commands of one, given --clusters, work on the other."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.real_slurm import free_ports
from tests.system.harness import commands_folder
from tests.system.munged import Munged, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())
SECONDS = 40.0
_DBD = """AuthType=auth/munge
AuthInfo=socket={socket}
SlurmUser=root
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={dbd}
PidFile={folder}/slurmdbd.pid
LogFile={folder}/slurmdbd.log
StorageType=accounting_storage/sqlite
StorageLoc={folder}/accounting.db
"""
_CONF = """ClusterName={name}
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={socket}
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={dbd}
NodeName={name}[1-2] CPUs=4 RealMemory=4000 NodeHostname=localhost
PartitionName=debug Nodes=ALL Default=YES
"""


class Site:
    """The daemons, and commands as on a machine of cluster `alpha`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        self.munged = Munged(folder / "munge", os.urandom(128))
        self.munged.start()
        dbd, *ports = free_ports(3)
        (folder / "dbd").mkdir()
        (folder / "dbd" / "slurmdbd.conf").write_text(_DBD.format(folder=folder / "dbd", socket=self.munged.socket, dbd=dbd))
        (folder / "dbd" / "slurmdbd.conf").chmod(0o600)
        self.start("slurmdbd", "-f", str(folder / "dbd" / "slurmdbd.conf"))
        for name, port in zip(("alpha", "beta"), ports, strict=True):
            (folder / name).mkdir()
            conf = folder / name / "slurm.conf"
            conf.write_text(_CONF.format(name=name, port=port, dbd=dbd, folder=folder / name, socket=self.munged.socket))
            self.start("slurmctld", "-f", str(conf))
        self.environ = {"PATH": f"{commands_folder(folder)}:/usr/bin:/bin", "SLURM_CONF": str(folder / "alpha" / "slurm.conf"), "HOME": str(folder)}

    def start(self, daemon: str, *words: str) -> None:
        with open(self.folder / f"{daemon}.{len(self.processes)}.out", "wb") as out:
            self.processes.append(subprocess.Popen([sys.executable, "-m", f"slurm.{daemon}", "-D", *words], stdout=out, stderr=out))

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, env=self.environ, capture_output=True, text=True, timeout=60, check=False)

    def ok(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, done
        return done.stdout

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
            process.wait(30)
        self.munged.stop()


@pytest.fixture
def site() -> Iterator[Site]:
    folder = Path(tempfile.mkdtemp(prefix="clusters-"))
    folder.chmod(0o755)
    found = Site(folder)
    try:
        yield found
    finally:
        found.stop()
        shutil.rmtree(folder)


def test_commands_work_on_another_cluster_that_slurmdbd_knows(site: Site) -> None:
    end = time.monotonic() + SECONDS
    while site.run("sinfo", "-h", "-M", "alpha,beta", "-o", "%N").stdout != "CLUSTER: alpha\nalpha[1-2]\n\nCLUSTER: beta\nbeta[1-2]\n":
        assert time.monotonic() < end, site.run("sinfo", "-M", "alpha,beta")
        time.sleep(0.2)
    assert site.ok("sbatch", "--clusters=beta", "--wrap", "true") == "Submitted batch job 1 on cluster beta\n"
    assert site.ok("squeue", "-h", "-o", "%i") == "" and site.ok("squeue", "-h", "-M", "all", "-o", "%i") == "CLUSTER: alpha\n\nCLUSTER: beta\n1\n"
    assert "ClusterName=beta" in site.ok("scontrol", "-M", "beta", "show", "config").replace(" ", "")
    site.ok("scancel", "-M", "beta", "1")
    assert site.ok("squeue", "-h", "-M", "beta", "-t", "all", "-o", "%i %T") == "CLUSTER: beta\n1 CANCELLED\n"
    refused = site.run("squeue", "-M", "gamma")
    assert refused.returncode == 1 and "'gamma' can't be reached now" in refused.stderr and "alpha, beta" in refused.stderr
