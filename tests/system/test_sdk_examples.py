"""The Python examples as their users start them: each on one shared cluster, and without one where that makes sense."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.harness import SOURCE, Cluster

ROOT = Path(__file__).resolve().parents[2]
PRINTS = {
    "hello_world --name Ada": r"submitted job \d+\nresult: Hello, Ada! This is (cn\d+|this process)\.\noutput: greeting Ada on \1\n",
    "map_reduce --num-chunks 3 --darts 1000": (
        r"3 chunks are mapped by job \d+, reduced by job \d+\n(chunk \d: \d+ of 1000 darts hit\n){3}pi is about 3\.1\d+\n"),
    "parallelization_patterns": (
        r"fanout: .*\n  squares: \[9, 16, 25\]\npipeline: .*\n  5 of 10 rows are good, their sum is 25\n"
        r"sweep: .*\n  4 models, the best with rate 0\.01 and width 64\ndynamic-deps: .*\n  1225 is the square of 35, found in 3 rounds; then came job \d+: 4\n"),
    "workflow_graph_visualization --dataset flowers --dot graph.dot": (
        r"flowers: the best model has depth 8 and an error of 1\nstudy \(workflow, job \d+\)\n  prepare \(task, job \d+\)\n"
        r"  choose \(workflow, job \d+\)\n    train \(task, job \d+\)\n  evaluate \(task, job \d+\)\ngraph\.dot has the graph\n"),
    "parallel_train_eval.workflow --epochs 2 --steps-per-job-cap 20": (
        r"the workflow is job \d+\nepoch 1: loss 0\.0370 after 30 steps\nepoch 2: loss 0\.0003 after 60 steps\n"),
}


def _started(command: str, *more: str) -> list[str]:
    name, *words = command.split()
    return [sys.executable, "-m", f"slurm.examples.{name}", *words, *more]


@pytest.mark.parametrize("command", PRINTS, ids=lambda command: command.split()[0])
def test_an_example_does_what_it_says_on_a_cluster(command: str, cluster: Cluster) -> None:
    out = cluster.ok(*_started(command, "--job-base-dir", str(cluster.work / "jobs")))
    assert re.fullmatch(PRINTS[command], out), out


@pytest.mark.parametrize("command", PRINTS, ids=lambda command: command.split()[0])
def test_an_example_needs_no_cluster_with_the_inline_backend(command: str, tmp_path: Path) -> None:
    done = subprocess.run(_started(command, "--backend", "inline", "--job-base-dir", str(tmp_path)), cwd=tmp_path, capture_output=True, text=True,
                          timeout=60, check=False, env={**os.environ, "PYTHONPATH": SOURCE})
    assert done.returncode == 0 and re.fullmatch(PRINTS[command], done.stdout), done


def test_an_example_in_a_clone_runs_from_its_folder_too(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(ROOT / "examples" / "hello_world.py"), "--backend", "inline", "--job-base-dir", str(tmp_path)],
                          capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PYTHONPATH": SOURCE})
    assert re.fullmatch(PRINTS["hello_world --name Ada"].replace("Ada", "world"), done.stdout), done


def test_a_wrong_wish_is_refused_before_anything_is_submitted(cluster: Cluster) -> None:
    for command, error in {"map_reduce --num-chunks 0": "begin at 1", "parallel_train_eval.workflow --epochs 0": "begin at 1",
                           "hello_container --backend inline": "no nodes that could run a container",
                           "parallelization_patterns --pattern ring": "'fanout', 'pipeline', 'sweep', 'dynamic-deps', 'all'"}.items():
        done = cluster.run(*_started(command))
        assert done.status == 2 and error in done.err, done
    done = cluster.run(*_started("hello_world --partition nowhere", "--job-base-dir", str(cluster.work / "jobs")))
    assert done.status == 1 and done.err.startswith("hello_world: ") and "partitions of this cluster: debug" in done.err, done


def test_the_container_example_says_what_a_node_lacks(cluster: Cluster) -> None:
    done = cluster.run(*_started("hello_container --runtime apptainer --image tiny.sif", "--job-base-dir", str(cluster.work / "jobs")))
    assert done.status == 1 and done.err.startswith("hello_container: the container did not run; is there a runtime on the node"), done
    assert "apptainer" in done.err and "Traceback" not in done.err, done


def test_the_torch_example_says_how_to_get_it(cluster: Cluster) -> None:
    (cluster.work / "sitecustomize.py").write_text("import sys\nsys.modules['torch'] = None\n")
    done = cluster.run(sys.executable, "-m", "slurm.examples.hello_torch", env={"PYTHONPATH": f"{cluster.work}:{SOURCE}"})
    assert done.status == 1 and done.err.startswith("This example needs PyTorch: pip install torch"), done


def test_the_published_dashboard_is_slurm_top_on_a_cluster(cluster: Cluster) -> None:
    cluster.script("dashboard.py", """if 1:
        import asyncio, time
        from slurm import Cluster
        from slurm.tui.dashboard.app import DashboardApp

        async def look():
            screen = DashboardApp(Cluster(start=False), refresh_interval=1)
            async with screen.run_test() as pilot:
                end = time.monotonic() + 20
                while screen.snapshot is None and time.monotonic() < end:
                    await pilot.pause(0.05)
                print(len(screen.snapshot.nodes), screen.interval)

        asyncio.run(look())
    """)
    assert cluster.ok(sys.executable, "dashboard.py") == "4 1.0\n"
