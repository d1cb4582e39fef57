"""What `slurm up` says of the commands that a shell would find: only what stands in the way."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from slurm.commands.embedded import programs
from slurm.model.errors import InvalidRequest


def installed(folder: Path, interpreter: str = sys.executable) -> str:
    """A folder as pip makes it; the path of its `slurm`."""
    folder.mkdir(parents=True)
    sbatch = folder / "sbatch"
    sbatch.write_text(f"#!{interpreter}\n")
    sbatch.chmod(0o755)
    return str(folder / "slurm")


def advice(slurm: str, *path: Path) -> list[str]:
    return programs.advice({"PATH": os.pathsep.join(map(str, path))}, [slurm])


def test_where_the_shell_finds_them_nothing_is_said(tmp_path: Path) -> None:
    slurm = installed(tmp_path / "bin")
    assert advice(slurm, tmp_path / "bin") == []
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "sbatch").symlink_to(tmp_path / "bin" / "sbatch")
    assert advice(slurm, tmp_path / "linked", tmp_path / "bin") == [], "pipx links to them"


def test_what_is_not_on_the_path_is_said_with_the_line_to_type(tmp_path: Path) -> None:
    slurm = installed(tmp_path / "bin")
    assert advice(slurm, tmp_path) == [f"sbatch is not on your PATH; for the commands of this one:  export PATH={tmp_path}/bin:$PATH"]


def test_a_folder_with_a_blank_is_quoted_in_that_line(tmp_path: Path) -> None:
    (line,) = advice(installed(tmp_path / "u v"), tmp_path)
    assert line.endswith(f"export PATH='{tmp_path}/u v':$PATH"), "uv installs what starts there"


def test_the_sbatch_of_another_installation_is_named(tmp_path: Path) -> None:
    slurm = installed(tmp_path / "bin")
    installed(tmp_path / "other")
    (line,) = advice(slurm, tmp_path / "other", tmp_path / "bin")
    assert f"sbatch on your PATH is {tmp_path}/other/sbatch, which is of another installation" in line and f"export PATH={tmp_path}/bin:" in line


def test_a_blank_in_the_path_of_python_is_named_as_what_keeps_them_from_starting(tmp_path: Path) -> None:
    slurm = installed(tmp_path / "bin", f"{tmp_path}/my env/bin/python3")
    first, *more = advice(slurm, tmp_path / "bin")
    assert first == f"{tmp_path}/bin/sbatch cannot be started: No such file or directory"
    assert "blank" in "\n".join(more)
    with pytest.raises(InvalidRequest):
        programs.check(str(tmp_path / "bin"))


def test_an_installation_without_commands_says_how_to_get_them(tmp_path: Path) -> None:
    assert "pip install" in "\n".join(advice(str(tmp_path / "slurm"), tmp_path))
