"""A job's files: names that the published SDK knows, items found singly, nothing half written."""

from __future__ import annotations

from pathlib import Path

import pytest

from slurm.sdk.calls.folder import JobFiles, pack_items, read_item, whole


def test_files_have_the_names_by_which_the_published_sdk_finds_them() -> None:
    files = JobFiles("/base/train/20260101_000000_0a", "20260101_000000_0a")
    assert files.script.endswith("/slurm_job_20260101_000000_0a_script.sh")
    assert files.result.endswith("/slurm_job_20260101_000000_0a_result.pkl")
    element = files.element(7)
    assert element.result.endswith("/slurm_job_20260101_000000_0a_7_result.pkl")
    assert element.stdout.endswith("/slurm_20260101_000000_0a_7.out")
    assert element.script == files.script


def test_each_item_is_read_by_itself(tmp_path: Path) -> None:
    items = [b"first", b"", b"third" * 1000]
    path = tmp_path / "items"
    path.write_bytes(pack_items(items))
    assert [read_item(str(path), index) for index in range(3)] == items
    with pytest.raises(IndexError, match="item 3 of an array of 3"):
        read_item(str(path), 3)


def test_a_file_whose_writer_fails_leaves_what_was_there_before(tmp_path: Path) -> None:
    path = tmp_path / "result"
    path.write_bytes(b"before")
    with pytest.raises(ValueError, match="half"), whole(str(path)) as file:
        file.write(b"aft")
        raise ValueError("half way")
    assert path.read_bytes() == b"before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["result"]
