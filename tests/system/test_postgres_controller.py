"""A whole cluster with its state in a real PostgreSQL: it moves there while its jobs run, is killed, and is refused once another leads."""

from __future__ import annotations

import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from slurm.config.state_location import parse
from slurm.store.accounting.storage import POSTGRESQL
from slurm.store.postgres_state import PostgresState
from tests.system.database_servers import DATABASE, running
from tests.system.harness import Cluster, gate


def test_a_cluster_moves_to_postgresql_while_its_jobs_run_and_ends_when_another_leads(fresh: Callable[..., Cluster], tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="slurm-py-", dir="/tmp") as made:
        os.chmod(made, 0o755)
        with running(POSTGRESQL, os.path.join(made, "own")) as server:
            address = (f"postgresql://{server.storage.user}@/{DATABASE}?host={server.storage.host}&may_lose_work=yes"
                       f"&folder={tmp_path}/c0/beside")
            cluster = fresh("--nodes", "1", "--cpus", "4")
            cluster.up()
            runs = cluster.sbatch("--wrap", gate("go"))
            waits = cluster.sbatch("--hold", "--wrap", "echo held job")
            cluster.until_state(runs, "RUNNING")
            stopped = cluster.pid("slurmctld")
            cluster.kill("slurmctld", signal.SIGTERM)
            cluster.until(lambda: not _lives(stopped), why="slurmctld did not stop")
            told = cluster.ok("slurm", "state", "copy", str(cluster.folder / "state"), address)
            assert re.search(r"^copied 2 jobs \(\d+ records\) as they are after event \d+, in", told), told
            conf = cluster.folder / "slurm.conf"
            conf.write_text(re.sub(r"(?m)^StateSaveLocation=.*$", f"StateSaveLocation={address}", conf.read_text()))
            for ending in (signal.SIGTERM, signal.SIGKILL):  # in order, with a snapshot that begins the history here; then not
                process = cluster.spawn(sys.executable, "-m", "slurm.slurmctld", "-D", "-f", str(conf))
                cluster.until(lambda: cluster.run("scontrol", "ping").out.endswith("UP\n"), why="slurmctld is not up")
                assert cluster.states(runs, waits) == {runs: "RUNNING", waits: "PENDING"}
                process.send_signal(ending)
                process.wait(30)
            process = cluster.spawn(sys.executable, "-m", "slurm.slurmctld", "-D", "-f", str(conf))
            cluster.until(lambda: cluster.run("scontrol", "ping").out.endswith("UP\n"), why="slurmctld is not up")
            held_at = time.strftime("%Y-%m-%dT%H:%M:%S")
            cluster.open_gate("go")
            cluster.ok("scontrol", "release", waits)
            assert cluster.until_ended(runs, waits) == {runs: "COMPLETED", waits: "COMPLETED"}
            assert cluster.output(f"slurm-{waits}.out") == "held job\n"
            was = cluster.ok("squeue", "-h", "--at", held_at, "-o", "%i %T").split("\n")
            assert f"{waits} PENDING" in was, was
            assert "released" in cluster.ok("slurm", "history", waits)
            other = PostgresState(parse(address))
            seen = other.lease.read()
            assert seen is not None and seen.epoch >= 4
            other.lease.claim("other", "", seen.epoch)
            refused = cluster.run("sbatch", "--wrap", "true")
            assert refused.status != 0 and "leads since epoch" in refused.err, refused
            assert process.wait(30) != 0
            other.close()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
