"""Containers: which image a task runs in, how it is built and when it is pushed, what is mounted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slurm.sdk.backends.subprocess import SubprocessBackend
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.calls.submission import render
from slurm.sdk.decorators import task, workflow
from slurm.sdk.errors import InvalidOption, PackagingError
from slurm.sdk.packaging import image
from slurm.sdk.packaging.choice import chosen, for_children, get_packaging_strategy
from slurm.sdk.packaging.container import ContainerPackagingStrategy
from slurm.sdk.packaging.settings import default_of

HERE = "{}.{}".format(*sys.version_info[:2])
BUILDER = f"""#!{sys.executable}
import json, os, sys
name, words, log = os.path.basename(sys.argv[0]), sys.argv[1:], os.environ["BUILD_LOG"]
with open(log, "a") as file:
    print(json.dumps([name, *words]), file=file)
images = os.environ["BUILD_LOG"] + ".images"
known = open(images).read().split() if os.path.exists(images) else []
if words[:2] == ["image", "inspect"]:
    if "--format" in words:
        print("registry/x@sha256:12")
    sys.exit(words[-1] not in known)
if words[0] == "build":
    with open(images, "a") as file:
        print(words[words.index("-t") + 1], file=file)
if words[0] == "save":
    open(words[words.index("-o") + 1], "w").write("an image")
if words[0] in os.environ.get("BUILD_FAILS", "").split():
    print("denied: no")
    sys.exit(1)
"""


class Site:
    """A cluster on this disk."""

    def __init__(self, folder: Path) -> None:
        self.backend, self.python, self.setup, self.job_base_dir = SubprocessBackend(), sys.executable, "", str(folder / "jobs")


class Built:
    """A folder with a dockerfile, and the calls of podman and docker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "context").mkdir()
        (folder / "context" / "Dockerfile").write_text("FROM python:3.11\n")
        (folder / "programs").mkdir()
        for name in ("podman", "docker"):
            (folder / "programs" / name).write_text(BUILDER)
            (folder / "programs" / name).chmod(0o755)
        self.environ = {"PATH": f"{folder}/programs", "BUILD_LOG": str(folder / "log")}

    def ready(self, **config: Any) -> tuple[str, str]:
        """The image for these keys."""
        return image.ready({"type": "container", **config}, "train", self.environ)

    def build(self, **config: Any) -> str:
        """The image built from the dockerfile."""
        return self.ready(dockerfile=str(self.folder / "context" / "Dockerfile"), **config)[0]

    def calls(self, kind: str = "") -> list[list[str]]:
        """The calls, of one subcommand."""
        log = self.folder / "log"
        found = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return [call for call in found if kind in ("", call[1])]


@pytest.fixture
def built(tmp_path: Path) -> Iterator[Built]:
    """As the class says; what was pushed by other tests is forgotten."""
    image._pushed.clear()
    yield Built(tmp_path)


def test_an_image_that_exists_is_neither_built_nor_pushed(built: Built) -> None:
    assert built.ready(image="ubuntu:24.04") == ("ubuntu:24.04", "")
    assert built.calls() == []


def test_a_dockerfile_is_built_once_a_content_and_not_pushed(built: Built) -> None:
    first = built.build()
    assert first.startswith("localhost/slurm-task-train:build-") and built.build() == first
    assert len(built.calls("build")) == 1 and built.calls("push") == []
    [words] = built.calls("build")
    assert words[0] == "podman" and words[-1] == str(built.folder / "context") and words[words.index("-f") + 1].endswith("/Dockerfile")
    (built.folder / "context" / "code.py").write_text("1")
    assert built.build() != first and len(built.calls("build")) == 2


def test_what_is_asked_of_a_build_is_handed_on(built: Built) -> None:
    (built.folder / "token").write_text("x")
    os.environ["PACKAGING_TEST"] = "3"
    found = built.build(runtime="docker", registry="ghcr.io/lab/", name="tool", tag="7", build_args={"N": "$PACKAGING_TEST"}, platform="linux/arm64",
                        no_cache=True, build_secrets=[{"id": "a", "file": str(built.folder / "token")}, "id=b,env=BUILD_LOG", "id=c,env=NOT_SET,required=false"])
    del os.environ["PACKAGING_TEST"]
    assert found == "ghcr.io/lab/tool:7"
    [words] = built.calls("build")
    assert words == ["docker", "build", "-t", "ghcr.io/lab/tool:7", "-f", str(built.folder / "context" / "Dockerfile"), "--platform", "linux/arm64", "--build-arg", "N=3",
                     "--secret", f"id=a,src={built.folder}/token", "--secret", "id=b,env=BUILD_LOG", "--no-cache", str(built.folder / "context")]


def test_it_is_pushed_when_asked_and_the_digest_is_the_registrys(built: Built) -> None:
    assert built.build(push=True, tls_verify=False, use_digest=True, registry="registry", name="x") == "registry/x@sha256:12"
    [words] = built.calls("push")
    assert words[:3] == ["podman", "push", "--tls-verify=false"]
    built.build(push=True, tls_verify=False, registry="registry", name="x")
    assert len(built.calls("push")) == 1


@pytest.mark.parametrize(("config", "said"), [
    ({}, "needs an image"),
    ({"name": "x"}, "packaging_name is about building an image: name the dockerfile too"),
    ({"image": "x", "use_digest": True}, "needs packaging_push=True"),
    ({"dockerfile": "/nowhere/Dockerfile"}, "there is no /nowhere/Dockerfile"),
    ({"image": "x", "push": True, "runtime": "docker", "tls_verify": False}, "docker takes insecure registries from its daemon.json"),
])
def test_what_cannot_be_carried_out_is_said(built: Built, config: dict[str, Any], said: str) -> None:
    with pytest.raises(PackagingError, match=said):
        built.ready(**config)


def test_a_build_that_fails_says_what_the_tool_said(built: Built) -> None:
    built.environ["BUILD_FAILS"] = "build"
    with pytest.raises(PackagingError, match=r"(?s)podman build .*ended with 1:\ndenied: no"):
        built.build()


@pytest.mark.parametrize("secret", ["id=a", {"env": "X"}, {"id": "a", "env": "X", "file": "y"}, {"id": "a", "value": "x"}])
def test_a_secret_that_is_none_is_refused(built: Built, secret: Any) -> None:
    with pytest.raises(PackagingError, match="is no secret"):
        built.build(build_secrets=[secret])
    with pytest.raises(PackagingError, match="the variable NOT_SET of the secret a is missing"):
        built.build(build_secrets=["id=a,env=NOT_SET"])


def test_without_a_builder_it_is_said_which_were_looked_for(built: Built) -> None:
    built.environ["PATH"] = "/nowhere"
    with pytest.raises(PackagingError, match="podman or docker, and neither is on PATH"):
        built.build()


def test_an_image_built_here_lies_beside_the_jobs_for_nodes_that_lack_it(built: Built) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in built.environ.items():
            patch.setenv(name, value)
        strategy = _prepared(built.folder, {"dockerfile": str(built.folder / "context" / "Dockerfile")})
        again = _prepared(built.folder, {"dockerfile": str(built.folder / "context" / "Dockerfile")})
    assert Path(strategy.archive).read_text() == "an image" and strategy.archive == again.archive
    assert len(built.calls("save")) == 1


def _prepared(folder: Path, config: dict[str, Any]) -> ContainerPackagingStrategy:
    strategy = ContainerPackagingStrategy({"type": "container", **config})
    strategy.prepare(task(len), Site(folder))  # type: ignore[arg-type]
    return strategy


@pytest.mark.parametrize(("told", "meant"), [
    ("/data", ("/data", "/data", "")), ("/data:/in", ("/data", "/in", "")), ("/data:/in:ro,z", ("/data", "/in", "ro,z")),
    ({"host_path": "/data", "container_path": "/in", "read_only": True}, ("/data", "/in", "ro")),
    ({"src": "/data", "dst": "/in", "mode": "rw"}, ("/data", "/in", "rw")), (".", (os.getcwd(), os.getcwd(), "")), ("{job_dir}/x:/x", ("{job_dir}/x", "/x", ""))])
def test_mounts_are_read_as_people_write_them(tmp_path: Path, told: Any, meant: tuple[str, str, str]) -> None:
    assert tuple(_prepared(tmp_path, {"image": "x", "mounts": [told]}).mounts[1]) == meant


def test_a_mount_that_is_none_and_a_job_that_nobody_would_find_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="is no mount; write"):
        _prepared(tmp_path, {"image": "x", "mounts": [{"from": "/data"}]})
    with pytest.raises(PackagingError, match="then packaging_mounts has to bring"):
        _prepared(tmp_path, {"image": "x", "mount_job_dir": False})
    assert len(_prepared(tmp_path, {"image": "x", "mount_job_dir": False, "mounts": [str(tmp_path)]}).mounts) == 1


def test_the_script_runs_the_runner_from_the_jobs_folder_with_a_python_of_several_words(tmp_path: Path) -> None:
    """With `env` for a runtime, the script makes the runner start for real, and it says what it misses."""
    strategy = _prepared(tmp_path, {"image": "x", "python_executable": f"env -u NOTHING {sys.executable}", "runtime": "apptainer", "env": {"A": "b c"}})
    apptainer = tmp_path / "bin" / "apptainer"
    apptainer.parent.mkdir()
    apptainer.write_text('#!/bin/bash\nwhile [ "$1" != docker://x ]; do shift; done\nshift\ncd /\nexec "$@"\n')
    apptainer.chmod(0o755)
    files = JobFiles(str(tmp_path / "jobs"), "key")
    script = render(files, "f", {}, strategy)
    done = subprocess.run(["/bin/bash", "-c", script], env={"PATH": f"{apptainer.parent}:/usr/bin:/bin", "HOME": "/"}, capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 1 and "slurm_job_key_call.pkl" in done.stderr, done.stderr
    assert f"sys.path.insert(0, '\"'\"'{strategy.runner}'\"'\"')" in script


def test_another_python_in_the_image_is_named_with_both_versions(tmp_path: Path) -> None:
    command = _prepared(tmp_path, {"image": "lab/tool:2"}).command()
    done = subprocess.run([sys.executable, "-c", command[2].replace(f"found != '{HERE}'", "found != '3.6'").replace(f"from Python {HERE}", "from Python 3.6")],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"submitted from Python 3.6, and {sys.executable} in the image lab/tool:2 is Python {HERE}" in done.stderr


def test_children_of_a_workflow_run_in_its_image(tmp_path: Path) -> None:
    parent = _prepared(tmp_path, {"image": "x"})
    site: Any = Site(tmp_path)
    child = get_packaging_strategy(for_children(parent, site, {}, workflow(len)))
    child.prepare(None, site)
    files = JobFiles("/jobs/f/1", "key")
    assert render(files, "f", {}, child) == render(files, "f", {}, parent)


def test_images_of_a_workflows_tasks_are_built_before_it_is_submitted_and_not_again_inside(built: Built) -> None:
    site: Any = Site(built.folder)
    step = task(packaging="container", packaging_dockerfile=str(built.folder / "context" / "Dockerfile"))(_step)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in built.environ.items():
            patch.setenv(name, value)
        parent = chosen(task(_step), site, {})
        parent.prepare(None, site)
        default = default_of(for_children(parent, site, {}, workflow(len).with_dependencies([step])), {})
        before = built.calls()
        patch.setenv("PATH", "/nowhere")
        child = chosen(step, site, default)
        child.prepare(step, site)
        assert "CONTAINER_IMAGE=localhost/slurm-task-step:build-" in render(JobFiles("/jobs/f/1", "key"), "f", {}, child)
        assert built.calls() == before and len(built.calls("build")) == 1
        with pytest.raises(PackagingError, match="neither is on PATH"):
            chosen(step.with_options(packaging_build_args={"A": "1"}), site, default).prepare(step, site)
        assert chosen(step.with_options(packaging="none"), site, default).config["type"] == "none"


def _step() -> None:
    return None
