"""The files of slurmdbd's archives, in a folder where others may write too."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from slurm.model.errors import StoreError
from slurm.store.accounting import purging


def test_an_archive_follows_no_link_that_somebody_laid_in_its_folder(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("the database\n")
    folder = tmp_path / "archive"
    folder.mkdir()
    for name in ("x.jsonl", "x.jsonl.new"):
        (folder / name).symlink_to(precious)
    (folder / "x.2.jsonl").symlink_to(tmp_path / "nothing")
    purging._write(str(folder / "x.jsonl"), [{"id": 1}])
    assert precious.read_text() == "the database\n" and not (tmp_path / "nothing").exists()
    written = folder / "x.3.jsonl"
    assert json.loads(written.read_text()) == {"id": 1} and written.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(folder)) == ["x.2.jsonl", "x.3.jsonl", "x.jsonl", "x.jsonl.new"]


def test_an_archive_that_cannot_be_written_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot write the archive"):
        purging._write(str(tmp_path / "nowhere" / "x.jsonl"), [{"id": 1}])
    with pytest.raises(TypeError):
        purging._write(str(tmp_path / "x.jsonl"), [{"id": object()}])
    assert os.listdir(tmp_path) == []
