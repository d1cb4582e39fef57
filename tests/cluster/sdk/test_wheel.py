"""Wheels and the environments made of them: what is built and when, what the recipe says, what is said when pip fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import slurm
from slurm.sdk.backends.subprocess import SubprocessBackend
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.calls.raised import read_error
from slurm.sdk.cluster import Cluster
from slurm.sdk.decorators import task, workflow
from slurm.sdk.errors import PackagingError
from slurm.sdk.packaging import environment, wheel
from slurm.sdk.packaging.choice import chosen, for_children, get_packaging_strategy
from slurm.sdk.packaging.wheel import WheelPackagingStrategy

SOURCE = Path(slurm.__file__).resolve().parents[1]
HERE = "{}.{}".format(*sys.version_info[:2])
UV = """#!/bin/sh
echo "$@" >> "$UV_LOG"
[ -z "$UV_FAILS" ] || { echo "no such backend"; exit 3; }
for word; do case "$last" in -o) out=$word;; esac; last=$word; done
echo wheel > "$out/flowers-1.0-py3-none-any.whl"
"""
PIP = """#!/bin/sh
# Stands for the Python below an environment: makes "environments" whose Python is this very script.
case "$1" in -c) echo "$$ -c";; *) echo "$$ $@";; esac >> {log}
case "$1 $2" in
-c*) echo {version};;
"-m venv") for last; do :; done; mkdir -p "$last/bin" && cp "$0" "$last/bin/python";;
"-m pip") {pip};;
esac
"""


class Site:
    """A cluster on this disk."""

    def __init__(self, folder: Path) -> None:
        self.backend, self.python, self.setup, self.job_base_dir = SubprocessBackend(), sys.executable, "", str(folder / "jobs")


@task(packaging="wheel")
def flower() -> None:
    return None


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project as the current folder, and a uv that notes what it builds in `uv.log`."""
    folder = tmp_path / "flowers"
    (folder / "src").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[project]\nname = "flowers"\n')
    (folder / "src" / "flowers.py").write_text("PETALS = 5\n")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "uv").write_text(UV)
    (programs / "uv").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        patch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        patch.setenv("UV_LOG", str(tmp_path / "uv.log"))
        yield folder


def _builds(project: Path) -> int:
    log = project.parent / "uv.log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def _prepared(project: Path, config: dict[str, Any] | None = None) -> WheelPackagingStrategy:
    strategy = WheelPackagingStrategy({"type": "wheel", **(config or {})})
    strategy.prepare(flower, Site(project.parent))  # type: ignore[arg-type]
    return strategy


def _recipe(strategy: WheelPackagingStrategy) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(strategy.recipe).read_text())
    return found


def test_a_content_is_built_once(project: Path) -> None:
    first, again = _prepared(project), _prepared(project)
    assert _builds(project) == 1 and first.folder == again.folder
    os.utime(project / "src" / "flowers.py", (1, 1))
    (project / ".git").mkdir()
    (project / ".git" / "index").write_text("x")
    (project / "src" / "__pycache__").mkdir()
    (project / "src" / "__pycache__" / "flowers.pyc").write_text("x")
    assert _prepared(project).folder == first.folder and _builds(project) == 1
    (project / "src" / "flowers.py").write_text("PETALS = 6\n")
    _prepared(project)
    assert _builds(project) == 2


def test_a_build_that_writes_into_the_project_is_not_repeated_for_that(project: Path) -> None:
    uv = project.parent / "bin" / "uv"
    uv.write_text(UV + f"echo 1 > {project}/src/_version.py\n")
    _prepared(project)
    _prepared(project)
    assert _builds(project) == 1


def test_what_the_tool_said_is_told(project: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(PackagingError, match=r"(?s)cannot be built: `.*uv build --wheel.*ended with 3:\nno such backend"):
        patch.setenv("UV_FAILS", "1")
        _prepared(project)
    assert not [path for path in (project.parent / "cache").rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_without_a_project_it_is_said_where_one_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(PackagingError, match=rf"no pyproject.toml in {tmp_path} or above"):
        wheel.project(str(tmp_path))


def test_the_recipe_holds_what_was_asked_for(project: Path, tmp_path: Path) -> None:
    (tmp_path / "own-1.0-py3-none-any.whl").write_bytes(b"own")
    (tmp_path / "wheels").mkdir()
    strategy = _prepared(project, {
        "extras": ["gpu", "io"], "dependencies": ["numpy>=2", "../own-1.0-py3-none-any.whl"], "extra_index_url": ["https://me:secret@host/simple", "../wheels"],
        "upgrade_pip": True})
    assert _recipe(strategy) == {
        "python": [sys.executable], "version": HERE, "setup": "", "links": [str(tmp_path / "wheels")], "upgrade_pip": True,
        "index": ["https://me:secret@host/simple"], "wheels": ["flowers-1.0-py3-none-any.whl[gpu,io]", "own-1.0-py3-none-any.whl"], "packages": ["numpy>=2"]}
    assert sorted(os.listdir(os.path.dirname(strategy.recipe))) == ["flowers-1.0-py3-none-any.whl", "own-1.0-py3-none-any.whl", "recipe.json"]
    assert os.stat(strategy.recipe).st_mode & 0o077 == 0
    script = "\n".join(strategy.lines(JobFiles("/jobs/f/1", "k"), 0))
    assert "secret" not in script and "--folder /jobs/f/1 --key k --base 0" in script


def test_an_index_that_is_no_address_and_no_folder_is_refused(project: Path) -> None:
    with pytest.raises(PackagingError, match="neither an address .* nor a folder"):
        _prepared(project, {"extra_index_url": ["pypi.example.com/simple"]})


def test_another_version_of_python_is_refused_before_anything_is_built(project: Path) -> None:
    with pytest.raises(PackagingError, match=rf"packaging_python_version='3.6', but this program is Python {HERE}"):
        _prepared(project, {"python_version": "3.6"})
    assert _builds(project) == 0


def test_the_children_of_a_workflow_take_its_environment_even_when_the_project_has_changed(project: Path) -> None:
    site = Site(project.parent)
    parent = _prepared(project)
    default = for_children(parent, site, {"type": "wheel"}, workflow(len))  # type: ignore[arg-type]
    (project / "src" / "flowers.py").write_text("PETALS = 7\n")
    for said in ("auto", "inherit", "wheel"):
        child = chosen(task(packaging=said)(len), site, default)  # type: ignore[arg-type]
        child.prepare(None, site)  # type: ignore[arg-type]
        assert (child.interpreter, child.lines(JobFiles("/j", "k"), None)) == (parent.interpreter, parent.lines(JobFiles("/j", "k"), None))
    assert _builds(project) == 1
    assert chosen(task(packaging="none")(len), site, default).config["type"] == "none"  # type: ignore[arg-type]


def test_none_is_inherited_too(tmp_path: Path) -> None:
    site = Site(tmp_path)
    parent = get_packaging_strategy({"type": "none"})
    parent.prepare(None, site)  # type: ignore[arg-type]
    child = chosen(task(len), site, for_children(parent, site, {}, workflow(len)))  # type: ignore[arg-type]
    child.prepare(None, site)  # type: ignore[arg-type]
    assert child.config["type"] == "inherit" and child.interpreter == [sys.executable] and child.path == parent.path


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe whose Python is a script that notes its calls in `log`."""
    return _written(tmp_path, "true")


def _written(tmp_path: Path, pip: str, version: str = HERE) -> Path:
    python = tmp_path / "python"
    python.write_text(PIP.format(log=tmp_path / "log", version=version, pip=pip))
    python.chmod(0o755)
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps({"python": [str(python)], "version": HERE, "setup": "", "links": [], "upgrade_pip": False, "index": ["https://me:secret@host"],
                                "wheels": ["flowers.whl"], "packages": ["numpy"]}))
    return path


def _calls(tmp_path: Path) -> list[str]:
    log = tmp_path / "log"
    return [line.split(" ", 1)[1] for line in log.read_text().splitlines()] if log.exists() else []


ENVIRON = {"PATH": "/usr/bin:/bin", "SLURM_JOB_ID": "5"}


def test_an_environment_is_made_once_and_its_index_is_on_no_command_line(recipe: Path, tmp_path: Path) -> None:
    for _ in range(2):
        environment.make(str(recipe), str(tmp_path / "venv"), ENVIRON, lambda text: None)
    assert [call.split()[:3] for call in _calls(tmp_path)] == [["-c"], ["-m", "venv", str(tmp_path / "venv")], ["-m", "pip", "install"]]
    assert _calls(tmp_path)[-1].endswith(f"{tmp_path}/flowers.whl numpy") and "secret" not in "".join(_calls(tmp_path))


def test_a_pip_of_today_installs_from_outside(tmp_path: Path) -> None:
    recipe = _written(tmp_path, "true", f"{HERE} 23.0.1")
    environment.make(str(recipe), str(tmp_path / "venv"), ENVIRON, lambda text: None)
    _, venv, install = _calls(tmp_path)
    assert venv == f"-m venv --without-pip {tmp_path}/venv"
    assert install == f"-m pip --python {tmp_path}/venv/bin/python install --quiet {tmp_path}/flowers.whl numpy"


def test_many_at_once_make_one_and_the_others_wait_for_it(tmp_path: Path) -> None:
    recipe = _written(tmp_path, "sleep 0.3")
    said: list[str] = []
    threads = [threading.Thread(target=environment.make, args=(str(recipe), str(tmp_path / "venv"), ENVIRON, said.append)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum(call.startswith("-m venv") for call in _calls(tmp_path)) == 1
    assert sum("making the environment" in text for text in said) == 1 and any("waiting for" in text for text in said)


def test_a_maker_that_was_killed_leaves_nothing_that_is_taken_for_whole(tmp_path: Path) -> None:
    recipe = _written(tmp_path, "touch half; exec sleep 1")
    venv = tmp_path / "venv"
    maker = subprocess.Popen([sys.executable, "-m", "slurm.sdk.packaging.environment", str(recipe), str(venv)],
                             env={**ENVIRON, "PYTHONPATH": str(SOURCE)}, cwd=tmp_path, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not (tmp_path / "half").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    (venv / "leftover").write_text("x")
    maker.kill()
    maker.wait(10)
    assert not environment.ready(str(venv))
    _written(tmp_path, "true")
    began = time.monotonic()
    environment.make(str(recipe), str(venv), ENVIRON, lambda text: None)
    assert environment.ready(str(venv)) and not (venv / "leftover").exists()
    assert time.monotonic() - began < 20  # it waited for the orphaned pip, which held the lock, and no longer


def test_what_pip_said_reaches_the_submitter_and_nothing_is_left(tmp_path: Path) -> None:
    recipe = _written(tmp_path, "echo No matching distribution found for numpy; exit 1")
    files = JobFiles(str(tmp_path), "key", 12)
    words = [str(recipe), str(tmp_path / "venv"), "--folder", str(tmp_path), "--key", "key", "--base", "10"]
    assert environment.main(words, {**ENVIRON, "SLURM_ARRAY_TASK_ID": "2"}) == 1
    assert not (tmp_path / "venv").exists()
    with open(files.error, "rb") as file:
        error, _ = read_error(file, "5_2", files.error)
    assert isinstance(error, PackagingError)
    assert "(job 5)" in str(error) and "pip install" in str(error) and "No matching distribution found for numpy" in str(error)


@pytest.mark.parametrize(("version", "python", "said"), [
    ("3.6", None, f"is Python 3.6, and the task was submitted from Python {HERE}"), (HERE, "/nowhere/python3", "there is no /nowhere/python3")])
def test_a_python_that_does_not_fit_is_named(tmp_path: Path, version: str, python: str | None, said: str) -> None:
    recipe = _written(tmp_path, "true", version)
    if python:
        recipe.write_text(json.dumps({**json.loads(recipe.read_text()), "python": [python]}))
    with pytest.raises(PackagingError, match=said):
        environment.make(str(recipe), str(tmp_path / "venv"), ENVIRON, lambda text: None)


def test_uv_is_used_where_the_node_has_it(recipe: Path, tmp_path: Path) -> None:
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text(f'#!/bin/sh\necho "uv $@ $UV_EXTRA_INDEX_URL" >> {tmp_path}/uv.log\n[ "$1" != venv ] || mkdir -p {tmp_path}/venv/bin\n')
    uv.chmod(0o755)
    environment.make(str(recipe), str(tmp_path / "venv"), {**ENVIRON, "PATH": f"{uv.parent}:/usr/bin:/bin"}, lambda text: None)
    venv, install = (tmp_path / "uv.log").read_text().splitlines()
    assert venv.startswith("uv venv --quiet --python ") and f"--python {tmp_path}/venv/bin/python {tmp_path}/flowers.whl numpy https://me" in install


def test_large_files_are_known_by_size_and_time_and_hidden_folders_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("1")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "two").write_text("2")
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "pyvenv.cfg").write_text("")
    with open(tmp_path / "large", "wb") as file:
        file.truncate(wheel.LARGE + 1)
    names = [name for name, _, _ in wheel.listing(str(tmp_path))]
    assert names == ["large", "one.py"]
    assert ".hidden/two" in [name for name, _, _ in wheel.listing(str(tmp_path), everything=True)]
    before = wheel.digest(str(tmp_path), wheel.listing(str(tmp_path)))
    os.utime(tmp_path / "large", (1, 1))
    assert wheel.digest(str(tmp_path), wheel.listing(str(tmp_path))) != before


def test_the_wheel_and_its_environment_are_named_alike_and_slurm_py_lies_beside(project: Path) -> None:
    strategy = _prepared(project)
    place = os.path.dirname(strategy.recipe)
    assert os.path.basename(place).removeprefix("wheel-") == os.path.basename(strategy.folder).removeprefix("venv-")
    assert os.path.isdir(f"{strategy.source}/slurm")


def test_a_module_that_the_job_lacks_says_what_would_bring_it(tmp_path: Path) -> None:
    path = tmp_path / "needy.py"
    path.write_text("import slurm_needs_this\ndef f(): return 1\n")
    (tmp_path / "slurm_needs_this.py").write_text("")
    with pytest.MonkeyPatch.context() as patch, Cluster("subprocess", job_base_dir=tmp_path / "jobs", python=sys.executable) as cluster:
        patch.syspath_prepend(str(tmp_path))
        function = __import__("needy").f
        (tmp_path / "slurm_needs_this.py").unlink()
        with pytest.raises(ModuleNotFoundError) as raised:
            task(function)().result(60)
        assert any('to have slurm_needs_this there: packaging="wheel"' in note for note in raised.value.__notes__)
        for name in ("needy", "slurm_needs_this"):
            del sys.modules[name]
    cluster.close()
