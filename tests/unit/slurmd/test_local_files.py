"""What lies on this machine, and what another one serves: told by names alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from slurm.slurmd.stepd.local_files import Mounts

TABLE = "\n".join((
    "1 0 8:1 / / rw - ext4 /dev/sda1 rw", "2 1 0:5 / /proc rw - proc proc rw", "3 1 0:9 / {tmp}/home rw shared:1 - nfs4 server:/home rw",
    "4 1 0:9 / {tmp}/with\\040blank rw - fuse.sshfs host: rw", "5 1 0:9 / {tmp}/scratch rw - lustre mgs:/s rw", "6 5 0:10 / {tmp}/scratch/local rw - xfs /dev/sdb rw",
    "7 1 0:11 / {tmp}/over rw - nfs server:/x rw", "8 1 0:12 / {tmp}/over rw - tmpfs tmpfs rw"))


@pytest.fixture
def mounts(tmp_path: Path) -> Mounts:
    (tmp_path / "plain").mkdir()
    os.symlink(tmp_path / "home", tmp_path / "link")
    os.symlink("plain/../link/alice", tmp_path / "longer")
    os.symlink("loop", tmp_path / "loop")
    return Mounts(TABLE.format(tmp=tmp_path))


@pytest.mark.parametrize(("path", "local"), [
    ("plain/out.txt", True), ("no/such/folder", True), ("home", False), ("home/alice/out.txt", False), ("link/out.txt", False), ("longer", False), ("loop", False),
    ("plain/../home/x", False), ("with blank/x", False), ("scratch/x", False), ("over/x", True), ("/proc/self/fd/1", True)])
def test_a_path_is_local_unless_something_on_the_way_is_served_by_others(mounts: Mounts, tmp_path: Path, path: str, local: bool) -> None:
    assert mounts.local(os.path.join(tmp_path, path)) is local


def test_nothing_is_known_of_a_relative_path_or_of_a_root_that_others_serve(tmp_path: Path) -> None:
    assert not Mounts(TABLE.format(tmp=tmp_path)).local("out.txt")
    assert not Mounts("1 0 0:2 / / rw - nfs server:/ rw").local("/tmp")


def test_this_machines_own_table_is_read() -> None:
    assert Mounts().local("/proc/self/mountinfo")
