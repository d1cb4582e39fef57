"""Commands of Slurm that are not carried out yet: each says so with what helps meanwhile, in words after which clients do without."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from slurm.commands.later import main
from slurm.options import later
from tests.unit.commands.world import call

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", later.COMMANDS)
def test_it_is_refused_with_a_sentence_and_what_to_use_instead(name: str) -> None:
    done = call(main, name, ["-X", "anything"])
    first, *hints = [line for line in done.stderr.splitlines() if line != f"{name}: error: {later.COMMANDS[name].first}"]
    assert (done.status, done.stdout) == (1, "")
    assert first.startswith(f"{name}: error: {name} is not supported by slurm-py yet: ")
    assert hints and all(line.startswith(f"{name}: hint: ") for line in hints)


@pytest.mark.parametrize("name", later.COMMANDS)
def test_its_version_and_its_help_are_told(name: str) -> None:
    for word in ("--version", "-V"):
        done = call(main, name, [word])
        assert (done.status, done.stderr) == (0, "") and done.stdout.startswith("slurm ")
    done = call(main, name, ["--help"])
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: {name} ") and "is not supported by slurm-py yet" in done.stdout


@pytest.mark.parametrize("name", later.COMMANDS)
def test_it_is_installed(name: str) -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-scripts"]
    assert scripts[f"scripts/{name}"] == name
    script = ROOT / "scripts" / name
    assert "from slurm.commands.later import main" in script.read_text() and script.stat().st_mode & 0o111
