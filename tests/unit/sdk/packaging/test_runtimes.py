"""What container runtimes are told, by running the script's end with runtimes on PATH that write down their words."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from slurm.sdk.packaging.container import Container, Mount, lines

CONTAINER = Container("ghcr.io/lab/tool:2", [Mount("/jobs", "/jobs"), Mount("/my data", "/data", "ro")], "/jobs/it's one", {"COLOUR": "a,b c"}, ["--one=a b"])
RECORD = f"""#!{sys.executable}
import json, os, sys
if sys.argv[1:] == ["--help"]:
    print(os.environ.get("SRUN_HELP", "usage"))
    sys.exit()
with open(os.environ["SEEN"], "a") as file:
    print(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]), file=file)
with open(os.environ["SEEN"] + ".env", "w") as file:
    json.dump(dict(os.environ), file)
if os.path.basename(sys.argv[0]) == "srun" and "/bin/bash" in sys.argv:
    os.execv("/bin/bash", sys.argv[sys.argv.index("/bin/bash"):])
sys.exit(int(os.environ.get("STATUS", "0")))
"""


class Node(NamedTuple):
    """A folder of programs that stands for a node's PATH."""

    folder: Path

    def run(self, text: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
        """Run lines there; what was called is in `calls`."""
        environ = {"PATH": f"{self.folder}:/usr/bin:/bin", "HOME": "/home/ada", "SLURM_JOB_ID": "7", "SEEN": str(self.folder / "seen"),
                   "PYTHONPATH": "/the/nodes/own", "SECRET": "x", **variables}
        # Nothing of this machine but coreutils: what it has of runtimes must not be found.
        environ["PATH"] = f"{self.folder}"
        return subprocess.run(["/bin/bash", "-c", "\n".join(text)], env=environ, capture_output=True, text=True, timeout=30, check=False)

    def calls(self) -> list[list[str]]:
        """The programs that were called, with their words."""
        seen = self.folder / "seen"
        return [json.loads(line) for line in seen.read_text().splitlines()] if seen.exists() else []

    def environ(self) -> dict[str, str]:
        """The environment of the last call."""
        found: dict[str, str] = json.loads((self.folder / "seen.env").read_text())
        return found


def _node(folder: Path, *programs: str) -> Node:
    for name in programs:
        (folder / name).write_text(RECORD)
        (folder / name).chmod(0o755)
    for name in ("grep", "id", "tr", "uname", "env"):
        os.symlink(next(f"{place}/{name}" for place in ("/usr/bin", "/bin") if os.path.exists(f"{place}/{name}")), folder / name)
    return Node(folder)


COMMAND = shlex.join(["python3", "-c", "print('hi')\nprint(2)", "--task", "f"])
WORDS = ["python3", "-c", "print('hi')\nprint(2)", "--task", "f"]


@pytest.mark.parametrize(("programs", "found"), [
    (("srun", "apptainer", "podman"), "apptainer"), (("srun", "singularity", "docker"), "singularity"), (("podman", "docker"), "podman"), (("docker",), "docker")])
def test_the_node_decides_which_runtime_it_is(tmp_path: Path, programs: tuple[str, ...], found: str) -> None:
    node = _node(tmp_path, *programs)
    assert node.run(lines("", CONTAINER, COMMAND, "")).returncode == 0
    [words] = node.calls()
    assert words[0] == found and words[-len(WORDS):] == WORDS


def test_pyxis_comes_first_where_srun_knows_it(tmp_path: Path) -> None:
    node = _node(tmp_path, "srun", "apptainer", "podman")
    node.run(lines("", CONTAINER, COMMAND, "srun --kill-on-bad-exit=1"), SRUN_HELP="      --container-image=[USER@][REGISTRY#]IMAGE[:TAG]|PATH")
    assert node.calls() == [[
        "srun", "--kill-on-bad-exit=1", "--one=a b", "--container-image=ghcr.io#lab/tool:2", "--container-workdir=/jobs/it's one",
        "--container-mounts=/jobs:/jobs,/my data:/data:ro", "--container-env=COLOUR", *WORDS]]
    assert node.environ()["COLOUR"] == "a,b c" and "PYTHONPATH" not in node.environ()


def test_a_node_without_any_says_what_was_looked_for(tmp_path: Path) -> None:
    done = _node(tmp_path).run(lines("", CONTAINER, COMMAND, ""))
    assert done.returncode == 127
    assert "has no container runtime: looked for srun with --container-image (Pyxis), apptainer, singularity, podman, docker" in done.stderr


def test_apptainer_gets_binds_folder_and_environment(tmp_path: Path) -> None:
    node = _node(tmp_path, "apptainer")
    node.run(lines("apptainer", CONTAINER, COMMAND, ""), SLURM_JOB_GPUS="0,1")
    assert node.calls() == [["apptainer", "exec", "--nv", "--bind", "/jobs:/jobs", "--bind", "/my data:/data:ro", "--pwd", "/jobs/it's one", "--one=a b",
                             "docker://ghcr.io/lab/tool:2", *WORDS]]
    assert node.environ()["APPTAINERENV_COLOUR"] == "a,b c" and "PYTHONPATH" not in node.environ()


@pytest.mark.parametrize(("image", "meant"), [
    ("/images/one.sif", "/images/one.sif"), ("library://a/b", "library://a/b"), ("python:3.11", "docker://python:3.11"), ("one.sif", "one.sif")])
def test_apptainer_gets_files_as_they_are_and_names_as_addresses(tmp_path: Path, image: str, meant: str) -> None:
    node = _node(tmp_path, "apptainer")
    node.run(lines("apptainer", CONTAINER._replace(image=image), COMMAND, ""))
    assert node.calls()[0][-len(WORDS) - 1] == meant


@pytest.mark.parametrize(("image", "meant"), [
    ("python:3.11", "python:3.11"), ("lab/tool:2", "lab/tool:2"), ("nvcr.io/nvidia/pytorch:24.05", "nvcr.io#nvidia/pytorch:24.05"),
    ("host:5000/a/b:1", "host:5000#a/b:1"), ("docker://localhost/a", "localhost#a"), ("/images/one.sqsh", "/images/one.sqsh"), ("nvcr.io#a/b", "nvcr.io#a/b")])
def test_pyxis_gets_the_registry_as_enroot_writes_it(tmp_path: Path, image: str, meant: str) -> None:
    node = _node(tmp_path, "srun")
    node.run(lines("pyxis", CONTAINER._replace(image=image), COMMAND, ""))
    assert f"--container-image={meant}" in node.calls()[0]


def test_podman_stays_in_the_jobs_cgroup_and_gets_slurms_variables_only(tmp_path: Path) -> None:
    node = _node(tmp_path, "podman")
    node.run(lines("podman", CONTAINER, COMMAND, ""), SLURM_JOB_GPUS="2,3", OMP_NUM_THREADS="4", CUDA_VISIBLE_DEVICES="0,1")
    [words] = node.calls()
    assert words[:5] == ["podman", "run", "--rm", "--name", "slurm-7-batch-0"] and "--cgroups=disabled" in words and "--network=host" in words
    named = {after for word, after in zip(words, words[1:], strict=False) if word == "--env"}
    assert {"SLURM_JOB_ID", "OMP_NUM_THREADS", "COLOUR=a,b c"} <= named and not named & {"SECRET", "PYTHONPATH", "PATH", "CUDA_VISIBLE_DEVICES"}
    assert [after for word, after in zip(words, words[1:], strict=False) if word == "--device"] == ["nvidia.com/gpu=2", "nvidia.com/gpu=3"]
    assert words[-len(WORDS) - 2:] == ["--one=a b", "ghcr.io/lab/tool:2", *WORDS]
    assert ("--userns=keep-id" in words) == (os.getuid() != 0)


def test_docker_runs_as_the_user_with_the_gpus_of_the_job(tmp_path: Path) -> None:
    node = _node(tmp_path, "docker")
    node.run(lines("docker", CONTAINER, COMMAND, ""), SLURM_JOB_GPUS="2,3")
    [words] = node.calls()
    assert words[words.index("--user") + 1] == f"{os.getuid()}:{os.getgid()}" and words[words.index("--gpus") + 1] == '"device=2,3"'


def test_every_rank_has_a_container_of_its_own(tmp_path: Path) -> None:
    node = _node(tmp_path, "srun", "podman")
    node.run(lines("podman", CONTAINER, COMMAND, "srun --kill-on-bad-exit=1"), SLURM_STEP_ID="0", SLURM_PROCID="3")
    srun, podman = node.calls()
    assert srun[:3] == ["srun", "--kill-on-bad-exit=1", "/bin/bash"]
    assert podman[4] == "slurm-7-0-3" and podman[-len(WORDS):] == WORDS


def test_an_image_that_the_node_lacks_is_loaded_from_the_jobs_folder(tmp_path: Path) -> None:
    node = _node(tmp_path, "podman", "apptainer")
    built = CONTAINER._replace(archive="/jobs/.code/image.tar")
    node.run(lines("apptainer", built, COMMAND, ""))
    assert "docker-archive:/jobs/.code/image.tar" in node.calls()[0]
    node.run(lines("podman", built, COMMAND, ""))
    assert node.calls()[1] == ["podman", "image", "inspect", "ghcr.io/lab/tool:2"] and node.calls()[2][1] == "run"
    node.run(lines("podman", built, COMMAND, ""), STATUS="1")
    assert node.calls()[-1] == ["podman", "load", "-q", "-i", "/jobs/.code/image.tar"]


def test_the_exit_status_of_the_container_is_the_jobs(tmp_path: Path) -> None:
    node = _node(tmp_path, "podman", "apptainer")
    for runtime in ("podman", "apptainer"):
        assert node.run(lines(runtime, CONTAINER, COMMAND, ""), STATUS="9").returncode == 9


def test_children_of_a_workflow_in_a_container_start_with_the_nodes_path(tmp_path: Path) -> None:
    node = _node(tmp_path, "apptainer")
    done = node.run(["PATH=/inside", *lines("apptainer", CONTAINER, COMMAND, "")], PACKAGING_HOST_PATH=str(tmp_path), PACKAGING_HOST_HOME="/home/eve")
    assert done.returncode == 0, done.stderr
    assert node.environ()["HOME"] == "/home/eve"
