"""`slurm completion`: the line for a shell's startup file, or what is missing for it."""

import json
import sys
from pathlib import Path

import pytest

from slurm.commands import slurm

FILES = {"bash": "share/bash-completion/completions/slurm", "zsh": "share/zsh/site-functions/_slurm_py", "fish": "share/fish/vendor_completions.d/slurm.fish"}


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Python whose folder has a blank in its name, with the files that the wheel brings."""
    folder = tmp_path / "my python"
    for name in FILES.values():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).touch()
    monkeypatch.setattr(sys, "prefix", str(folder))
    return folder


def test_the_line_of_each_shell_names_what_was_installed(prefix: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for shell, start in (("bash", ". "), ("zsh", "fpath=("), ("fish", "set -p fish_complete_path ")):
        assert slurm.main(["completion", shell]) == 0
        place = prefix / FILES[shell] if shell == "bash" else (prefix / FILES[shell]).parent
        assert capsys.readouterr().out.startswith(f"{start}'{place}'")


def test_as_json_it_names_the_file_too(prefix: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert slurm.main(["completion", "bash", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"shell": "bash", "file": f"{prefix}/{FILES['bash']}", "line": f". '{prefix}/{FILES['bash']}'"}


def test_where_they_were_not_installed_it_says_what_brings_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert slurm.main(["completion", "bash"]) == 1
    assert "pip install" in capsys.readouterr().err


def test_a_shell_that_there_is_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert slurm.main(["completion", "tcsh"]) == 2
    assert "bash" in capsys.readouterr().err
