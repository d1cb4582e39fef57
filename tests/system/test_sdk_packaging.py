"""Packaging on an embedded cluster: a wheel with a dependency, offline; and real containers where podman can run them."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slurm import Cluster, PackagingError, TaskFailed
from tests.system import flowers
from tests.system.contained_tasks import inside, sleeps, within
from tests.system.harness import Cluster as Daemons
from tests.system.harness import commands_folder

SECONDS = 90.0
QUICK = 0.6
"""Seconds that a second submission of the same wheel may take from its call to its result; 0.08 on an idle machine."""


@pytest.fixture(scope="module")
def daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    """Four emulated nodes, as the cluster that this process finds."""
    folder = tmp_path_factory.mktemp("packaging")
    found = Daemons(folder / "c", "--nodes", "4", "--cpus", "16", "--memory", "64G", environment={"PATH": f"{folder}/podman/bin:{os.environ['PATH']}"})
    found.environment["PATH"] = f"{commands_folder(found.root)}:{found.environment['PATH']}"
    found.up()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("SLURM", "SBATCH"))]:
            patch.delenv(name)
        for name in ("XDG_STATE_HOME", "SLURM_PY_INSTANCE", "PATH", "PYTHONPATH"):
            patch.setenv(name, found.environment[name])
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setenv("PIP_NO_INDEX", "1")  # whatever is installed comes from the folder that is named
        yield found
    found.close()


@pytest.fixture(scope="module")
def project(daemons: Daemons) -> Iterator[Path]:
    """The project as the current folder, its module imported."""
    root = flowers.project(daemons.root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.syspath_prepend(str(root / "src"))
        yield root
    sys.modules.pop("flowers", None)


@pytest.fixture
def garden(project: Path) -> Any:
    """The module of the project."""
    return importlib.import_module("flowers")


@pytest.fixture(scope="module")
def cluster(daemons: Daemons) -> Iterator[Cluster]:
    """The active cluster: wheels are looked for in a folder."""
    with Cluster(job_base_dir=daemons.root / "jobs", time="5", default_packaging_extra_index_url=str(daemons.root / "wheels")) as found:
        yield found
    found.close()


def _environments(daemons: Daemons) -> list[Path]:
    return sorted((daemons.root / "jobs" / ".code").glob("venv-*/.ready"))


def test_an_array_of_twenty_shares_one_environment_that_was_made_once(daemons: Daemons, cluster: Cluster, garden: Any, project: Path) -> None:
    array = garden.count.map(range(20))
    results = array.results(SECONDS)
    assert [value for value, _ in results] == [5 * number for number in range(20)]
    [ready] = _environments(daemons)
    assert {prefix for _, prefix in results} == {str(ready.parent)}
    assert sum("making the environment" in job.stderr() for job in array) == 1
    assert (project / "BUILDS").read_text() == "built\n"


@pytest.mark.alone
def test_a_second_submission_builds_and_installs_nothing(daemons: Daemons, cluster: Cluster, garden: Any, project: Path) -> None:
    garden.count(1).result(SECONDS)
    before = (project / "BUILDS").read_text(), [os.stat(path).st_mtime_ns for path in _environments(daemons)]
    times = []
    for _ in range(3):
        began = time.monotonic()
        assert garden.count(2).result(SECONDS)[0] == 10
        times.append(time.monotonic() - began)
    assert ((project / "BUILDS").read_text(), [os.stat(path).st_mtime_ns for path in _environments(daemons)]) == before
    assert min(times) < QUICK, times


def test_another_program_finds_what_this_one_built(cluster: Cluster, garden: Any, project: Path, daemons: Daemons) -> None:
    garden.count(1).result(SECONDS)
    before = (project / "BUILDS").read_text()
    text = (f"import flowers, slurm\nwith slurm.Cluster(job_base_dir={str(daemons.root / 'jobs')!r}, default_packaging_extra_index_url='../wheels'):\n"
            "    print(flowers.count(3).result(90)[0])\n")
    done = subprocess.run([sys.executable, "-c", text], env={**os.environ, "PYTHONPATH": f"{os.environ['PYTHONPATH']}:{project}/src"}, capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.stdout == "15\n", done.stderr
    assert (project / "BUILDS").read_text() == before and len(_environments(daemons)) == 1


def test_a_workflow_and_its_children_share_the_workflows_environment(daemons: Daemons, cluster: Cluster, garden: Any) -> None:
    found = garden.garden().result(SECONDS)
    [ready] = _environments(daemons)
    assert {prefix for prefix, _ in found} == {str(ready.parent)}
    assert found[0][1].startswith(str(ready.parent))


def test_an_environment_that_was_left_half_made_is_made_anew(daemons: Daemons, cluster: Cluster, garden: Any) -> None:
    garden.count(1).result(SECONDS)
    [ready] = _environments(daemons)
    ready.unlink()
    shutil.rmtree(next(ready.parent.glob("lib/python*/site-packages/petals-*")).parent)
    assert garden.count(2).result(SECONDS)[0] == 10
    assert _environments(daemons) == [ready]


def test_what_pip_said_is_what_the_submitter_reads(daemons: Daemons, cluster: Cluster, garden: Any) -> None:
    wrong = garden.count.with_options(packaging_dependencies=["thorns==9"])
    with pytest.raises(PackagingError, match=r"(?s)cannot be made on .* -m pip .*thorns==9.*No matching distribution found for thorns==9"):
        wrong(1).result(SECONDS)
    with pytest.raises(PackagingError, match="No matching distribution found for thorns==9"):
        wrong.with_options(packaging_install="submit")(1)
    failed = wrong.map(range(1))
    with pytest.raises(PackagingError, match="thorns==9"):
        failed[0].result(SECONDS)
    assert len(_environments(daemons)) == 1


def test_a_wheel_that_cannot_be_built_is_refused_before_anything_is_submitted(cluster: Cluster, garden: Any, project: Path) -> None:
    (project / "BROKEN").touch()
    try:
        with pytest.raises(PackagingError, match="(?s)cannot be built.*the petals do not fit"):
            garden.count(1)
    finally:
        (project / "BROKEN").unlink()


@pytest.fixture(scope="module")
def containers(daemons: Daemons) -> Iterator[Path]:
    """The folder of a podman that has the image localhost/tiny:1."""
    folder = daemons.root.parent / "podman"
    with tempfile.TemporaryDirectory(prefix="pod") as run:
        missing = flowers.podman(folder, run)
        if missing:
            if os.environ.get("CI") and "not installed" in missing:
                pytest.fail(missing)
            pytest.skip(missing)
        yield folder
        # What lies there belongs to podman: overlays are mounted below it.
        subprocess.run([str(folder / "bin" / "podman"), "system", "reset", "--force"], capture_output=True, check=False)


def test_a_task_runs_in_an_image_that_holds_nothing_but_python(cluster: Cluster, containers: Path) -> None:
    mark = containers / "brought"
    mark.write_text("x")
    job = inside.with_options(packaging_env={"COLOUR": "a,b c"}, packaging_mounts=[f"{mark}:/brought:ro"])(1)
    assert job.result(SECONDS) == (1, "hello", "a,b c", 0)
    assert job.stdout() == "said inside\n"
    assert [value for value, *_ in inside.map(range(3)).results(SECONDS)] == [0, 1, 2]


def test_the_example_says_where_it_runs(containers: Path, daemons: Daemons) -> None:
    said = daemons.ok(sys.executable, "-m", "slurm.examples.hello_container", "--image", "localhost/tiny:1", "--job-base-dir", str(daemons.work))
    assert re.fullmatch(r"here: .*\njob \d+ runs in localhost/tiny:1\nin the job: .*, Python 3\.\d+\.\d+\n", said), said


def test_every_rank_runs_in_a_container_and_a_workflow_hands_its_own_on(cluster: Cluster, containers: Path) -> None:
    job, flow = inside.with_options(ntasks=2, packaging_runtime="podman", packaging_python_executable="/usr/bin/env python3")(7), within()
    with pytest.raises(TaskFailed, match="env"):  # the image has no env
        job.result(SECONDS)
    job = inside.with_options(ntasks=2)(7)
    assert job.wait(SECONDS) and [rank for *_, rank in job.rank_results()] == [0, 1]
    assert flow.result(SECONDS) == ("hello", "hello")


def test_a_cancelled_container_is_gone(cluster: Cluster, containers: Path, daemons: Daemons) -> None:
    mark = daemons.root / "jobs" / "asleep"
    job = sleeps(str(mark))
    deadline = time.monotonic() + SECONDS
    while not mark.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    job.cancel()
    assert not job.wait(SECONDS)
    listed = ""
    while time.monotonic() < deadline and f"slurm-{job.id}-" in (listed := subprocess.run(
            [str(containers / "bin" / "podman"), "ps", "--format", "{{.Names}}"], capture_output=True, text=True, check=True).stdout):
        time.sleep(0.2)
    assert f"slurm-{job.id}-" not in listed


def test_an_image_is_built_from_a_dockerfile_and_loaded_by_nodes_that_lack_it(cluster: Cluster, containers: Path, daemons: Daemons) -> None:
    (containers / "image" / "Child").write_text("FROM localhost/tiny:1\nENV GREETING=built\n")
    made = inside.with_options(packaging="container", packaging_dockerfile=str(containers / "image" / "Child"), packaging_context=str(containers / "bin"))
    job = made(1)
    assert job.result(SECONDS)[1] == "built"
    name = next(line for line in Path(job.files.script).read_text().splitlines() if line.startswith("export CONTAINER_IMAGE=")).partition("=")[2]
    subprocess.run([str(containers / "bin" / "podman"), "rmi", name], capture_output=True, check=True)
    os.unlink(job.files.result)
    daemons.ok("sbatch", "--wait", job.files.script)
    assert os.path.exists(job.files.result)
