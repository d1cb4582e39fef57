"""Programs written for the published SDK (slurm-sdk on PyPI): unchanged, with that package on our cluster, and with ours.

The published package shares our import name, so it lives in an environment of its own: `make clients` makes `published` inside
the environment of the tests, or $PUBLISHED_SDK_PYTHON names its interpreter.
"""

from __future__ import annotations

import getpass
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.harness import SOURCE, Cluster
from tests.system.login_node import LoginNode

PROGRAMS = Path(__file__).parent / "published"
PUBLISHED = os.environ.get("PUBLISHED_SDK_PYTHON") or f"{sys.prefix}/published/bin/python"
SLURMFILE = '[default.cluster]\nbackend = "local"\njob_base_dir = "{}"\n'
PRINTS = {"tour": """\
True
True
TypeError True
TypeError False
True True True True False 3
COMPLETED 0:0 add debug 00:05:00
add True
True True
True True
adding 5 1
6 add Add two numbers. SlurmTask(name='add') add True
True 3 True
True
True COMPLETED 0:0 True True True
True
12 101 8 renamed
120M 00:02:00 2
(True, 0, 1, '4321') place_it
True 3 ['0', '1', '2'] 2
True [2, 5, 11] 5 True
True results
12 0
False FAILED
[True, True, True, True, True]
True
True
True True CANCELLED False
[True, True, True]
['alone', 'first', 'second']
True
['ACCOUNT', 'JOBID', 'NAME', 'NODES', 'PARTITION', 'REASON', 'START_TIME', 'STATE', 'TIME', 'TIME_LIMIT', 'USER'] asleep RUNNING 5:00 debug 1 None
True
debug ['AVAIL', 'NODES', 'PARTITION', 'STATE', 'TIMELIMIT']
['backend_config', 'backend_type', 'cluster_info', 'connectivity', 'errors', 'queue', 'queue_summary', 'slurm_commands'] local True \
{'total_jobs': 1, 'by_state': {'RUNNING': 1}} {'sbatch': 'available'} []
""", "flow": """\
True
{'first': 16, 'total': 14, 'file': '14', 'runs': True, 'tasks': True, 'id': True, 'nested': True}
""", "edges": """\
True True True
[True, True]
['beside', True, 2, 3] [4, 5] [True, True, True]
True
unknown
"""}
SWEEP = """\
True [('a', 2), ('b', 1)]
['begin package', 'end package', 'begin submit ssh', 'end submit True', 'completed COMPLETED True']
{'a': 3, 'b': 1, 'c': 2}
ssh True True
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Four emulated nodes, and a folder with the programs."""
    found = Cluster(tmp_path_factory.mktemp("published") / "c", "--nodes", "4", "--cpus", "8")
    found.up()
    for program in (*PRINTS, "sweep"):
        shutil.copy(PROGRAMS / f"{program}.py", found.work)
    (found.work / "Slurmfile.toml").write_text(SLURMFILE.format(found.work / "jobs"))
    yield found
    found.close()


def ran(cluster: Cluster, python: str, program: str, path: str) -> str:
    """What a program printed, `path` being its PYTHONPATH."""
    return cluster.ok(python, f"{program}.py", timeout=120, env={"PYTHONPATH": path, "SLURMFILE": str(cluster.work / "Slurmfile.toml"),
                                                                  "PATH": f"{Path(python).parent}:{cluster.environment['PATH']}"})


@pytest.mark.clients
@pytest.mark.parametrize("program", PRINTS)
def test_the_published_package_runs_on_our_cluster(cluster: Cluster, program: str) -> None:
    assert Path(PUBLISHED).exists(), f"{PUBLISHED} is missing: make clients"
    # What it writes to PYTHONPATH in its jobs leads our commands there to its own package `slurm` unless they look elsewhere first.
    assert ran(cluster, PUBLISHED, program, "") == PRINTS[program]


@pytest.mark.parametrize("program", PRINTS)
def test_its_programs_run_unchanged_on_ours(cluster: Cluster, program: str) -> None:
    assert ran(cluster, sys.executable, program, SOURCE) == PRINTS[program]


def over_ssh(cluster: Cluster, python: str, path: str, folder: Path) -> str:
    """What the program with a command line printed, its cluster being behind a real sshd whose sessions find this Python."""
    folder = folder / "login"
    variables = {"HOME": str(folder), **{name: cluster.environment[name] for name in ("XDG_STATE_HOME", "SLURM_PY_INSTANCE")}}
    node = LoginNode(folder, {**variables, "PATH": f"{Path(python).parent}:{cluster.environment['PATH']}", **({"PYTHONPATH": path} if path else {})})
    (folder / ".ssh").mkdir()
    (folder / ".ssh/config").write_text(f"Host *\n  IdentityFile {folder}/key\n  UserKnownHostsFile {folder}/known_hosts\n")
    (folder / ".ssh/known_hosts").write_text((folder / "known_hosts").read_text())
    node.start()
    try:
        return cluster.ok(python, "sweep.py", "--text", "a b a", "--text", "a c c", "--backend", "ssh", "--hostname", "127.0.0.1", "--port", str(node.port),
                          "--username", getpass.getuser(), "--host-key-policy", "auto", "--job-base-dir", str(folder / "jobs"), "--packaging", "none",
                          timeout=120, env={"PYTHONPATH": path, "HOME": str(folder)})
    finally:
        node.stop()


@pytest.mark.clients
def test_the_published_package_reaches_our_cluster_over_ssh(cluster: Cluster, tmp_path: Path) -> None:
    assert over_ssh(cluster, PUBLISHED, "", tmp_path) == SWEEP


def test_a_program_with_its_command_line_and_callbacks_runs_over_ssh_on_ours(cluster: Cluster, tmp_path: Path) -> None:
    assert over_ssh(cluster, sys.executable, SOURCE, tmp_path) == SWEEP
