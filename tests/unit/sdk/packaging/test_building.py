"""By what a wheel is built."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from slurm import PackagingError
from slurm.sdk.packaging import wheel


def test_a_folder_that_builds_left_is_not_taken_for_the_module_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "build").mkdir()
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    importlib.invalidate_caches()
    with pytest.raises(PackagingError, match="has no module build"):
        wheel._command("build", "/project", "/out", {"PATH": ""})
