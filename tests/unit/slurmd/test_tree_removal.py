"""Removing what a user made: deep trees, links, and within a time."""

from __future__ import annotations

import os
from pathlib import Path

from slurm.slurmd import reattach
from slurm.slurmd.roster import Roster
from slurm.slurmd.stepd import folder, tree_removal

DEPTH = 1200
"""More than Python can go into by calls."""


def deep(path: Path, depth: int = DEPTH) -> None:
    """Folders within folders, a file and a link in each."""
    path.mkdir()
    at = os.open(path, os.O_RDONLY)
    for _ in range(depth):
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=at))
        os.symlink("/etc", "link", dir_fd=at)
        os.mkdir("folder", dir_fd=at)
        inner = os.open("folder", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)


def test_a_tree_is_removed_however_deep_it_is(tmp_path: Path) -> None:
    deep(tmp_path / "pmix")
    assert tree_removal.remove(str(tmp_path / "pmix"), 60.0)
    assert os.listdir(tmp_path) == []
    assert tree_removal.remove(str(tmp_path / "pmix"), 60.0)


def test_no_link_is_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("kept")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "to_it").symlink_to(kept)
    assert tree_removal.remove(str(tmp_path / "tree"), 60.0)
    assert (kept / "file").read_text() == "kept"
    (tmp_path / "link").symlink_to(kept)
    assert not tree_removal.remove(str(tmp_path / "link"), 60.0)
    assert (kept / "file").exists()


def test_it_ends_when_its_time_is_over_and_goes_on_when_asked_again(tmp_path: Path) -> None:
    deep(tmp_path / "tree", 50)
    assert not tree_removal.remove(str(tmp_path / "tree"), 0.0)
    assert (tmp_path / "tree").exists()
    assert tree_removal.remove(str(tmp_path / "tree"), 60.0)


def test_a_step_s_folder_goes_with_the_deep_tree_in_it_also_at_a_start(tmp_path: Path) -> None:
    for number in (7, 8):
        step = tmp_path / f"job0000{number}.1.0"
        step.mkdir()
        deep(step / folder.PMIX)
    folder.remove(str(tmp_path / "job00007.1.0"), 60.0)
    assert os.listdir(tmp_path) == ["job00008.1.0"]
    for _ in range(10):  # a slow disk takes more than one start
        assert reattach.scan(str(tmp_path), Roster()) == []
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_removed_does_not_keep_slurmd_from_starting(tmp_path: Path) -> None:
    step = tmp_path / "job00007.1.0"
    (step / "somebody's").mkdir(parents=True)
    assert reattach.scan(str(tmp_path), Roster()) == []
    assert step.exists()
