"""The wheel and the sdist: two builds are equal, and what is installed has every command, the manual and the completions."""

import configparser
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.meta.source import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WHEEL = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
BUILT = (*PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"], "pyproject.toml")


def _built(folder: Path, umask: int) -> Path:
    """Wheel and sdist of a copy of the sources in a folder of another name and time, by somebody with another umask."""
    sources = folder / "sources"
    sources.mkdir()
    for name in BUILT:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", "_spawn.so"), copy_function=shutil.copy)
        else:
            shutil.copy(ROOT / name, sources / name)
    environ = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-t", "sdist", "-d", str(folder / "dist")], cwd=sources, env=environ, check=True,
        capture_output=True, umask=umask, timeout=120)
    return folder / "dist"


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return _built(tmp_path_factory.mktemp("one"), 0o022), _built(tmp_path_factory.mktemp("another-name"), 0o077)


def test_two_builds_are_equal(builds: tuple[Path, Path]) -> None:
    one, other = ({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()} for folder in builds)
    assert len(one) == 2
    assert one == other


def test_the_sdist_has_what_a_build_needs(builds: tuple[Path, Path]) -> None:
    with tarfile.open(next(builds[0].glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "hatch_build.py", "packaging/man/man1/sbatch.1", "packaging/completion/bash/slurm", "src/slurm/commands/setup/systemd/slurmd.service", "scripts/sbatch"} <= names


def test_the_wheel_has_every_command_its_manual_and_the_completions(builds: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(next(builds[0].glob("*.whl"))) as archive:
        names = {name.partition(".data/")[2] or name for name in archive.namelist()}
        entries = configparser.ConfigParser()
        entries.read_string(archive.read(next(name for name in archive.namelist() if name.endswith("entry_points.txt"))).decode())
    assert dict(entries["console_scripts"]) == PROJECT["project"]["scripts"]
    commands = WHEEL["shared-scripts"].values()
    assert {f"scripts/{name}" for name in commands} <= names
    assert {f"data/share/man/man1/{name}.1" for name in commands} <= names
    assert {f"data/share/bash-completion/completions/{name}" for name in (*commands, "slurm", "slurmctld")} <= names
    assert {f"data/share/fish/vendor_completions.d/{name}.fish" for name in (*commands, "slurm")} <= names
    assert "data/share/zsh/site-functions/_slurm_py" in names
