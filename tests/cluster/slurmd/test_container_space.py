"""Images that take more of a node than it has, and what a builder that its user has got hold of may say."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from slurm.notation.container import Image
from slurm.slurmd.stepd import passing
from slurm.slurmd.stepd.container import images, layers, space
from slurm.slurmd.stepd.container.inside import READY, Inside
from slurm.slurmd.stepd.container.launch import _Waiting
from slurm.slurmd.stepd.container.root import CannotBuild
from tests.cluster.slurmd.container_registry import needs_containers

MEGABYTES = 400


def leave_free(monkeypatch: pytest.MonkeyPatch, folder: Path, megabytes: int) -> None:
    """As if the file system of a folder were nearly full, but for so much."""
    found = os.statvfs(folder)
    monkeypatch.setattr(space, "KEPT", 1.0)
    monkeypatch.setattr(space, "MOST_KEPT", found.f_bavail * found.f_frsize - (megabytes << 20))


def notes(told: list[str]) -> images.Tell:
    return told.append


@needs_containers
def test_a_file_that_becomes_more_than_there_is_space_for_is_broken_off_and_nothing_of_it_stays(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bomb"
    folder.mkdir()
    with open(folder / "much", "wb") as file:
        for _ in range(MEGABYTES):
            file.write(b"much of the same " * 61681)
    subprocess.run(["mksquashfs", str(folder), str(tmp_path / "bomb.sqsh"), "-no-progress", "-quiet", "-noappend"], check=True, stdout=subprocess.DEVNULL)
    (folder / "much").unlink()
    leave_free(monkeypatch, tmp_path, MEGABYTES // 8)
    image, cache, told = Image("file", str(tmp_path / "bomb.sqsh")), tmp_path / "cache", []
    with pytest.raises(CannotBuild, match="no space left for images"):
        images.of_file(image, str(cache), notes(told))
    assert sum(path.lstat().st_size for path in cache.rglob("*") if path.is_file()) < 1000, "what was half unpacked is gone"
    monkeypatch.undo()
    assert (Path(images.of_file(image, str(cache), notes(told)).root) / "much").stat().st_size > MEGABYTES << 19


@needs_containers
def test_layers_that_become_more_than_there_is_space_for_are_broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tarfile.open(tmp_path / "layer", "w:gz", compresslevel=1) as archive:
        for number in range(MEGABYTES // 8):
            member = tarfile.TarInfo(f"much{number}")
            member.size = 8 << 20
            archive.addfile(member, io.BytesIO(b"m" * (8 << 20)))
    leave_free(monkeypatch, tmp_path, MEGABYTES // 8)

    def fill(folder: str) -> dict[str, object]:
        layers.unpack([(str(tmp_path / "layer"), "tar")], os.path.join(folder, "root"), {})
        return {}

    with pytest.raises(CannotBuild, match="no space left for images"):
        images.cached(str(tmp_path / "cache"), "image", fill)
    assert [path.name for path in (tmp_path / "cache" / "images" / "image").iterdir()] == ["lock"]


def test_no_image_is_begun_on_a_disk_that_is_nearly_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_free(monkeypatch, tmp_path, -10)

    def fill(folder: str) -> dict[str, object]:
        raise AssertionError(folder)

    with pytest.raises(CannotBuild, match="no space left for images"):
        images.cached(str(tmp_path / "cache"), "image", fill)


def heard(packet: bytes, descriptors: int, *, by_root: bool) -> _Waiting:
    """What slurmstepd makes of a packet with so many descriptors."""
    ours, theirs = passing.pair()
    with ours, theirs:
        files = [os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC) for _ in range(descriptors)]
        passing.send(theirs, packet, files)
        waiting = _Waiting(ours, lambda sentence: None, by_root=by_root)
        waiting.on_event(0)
        for file in files:
            os.close(file)
    return waiting


def test_only_a_container_of_root_brings_a_namespace_of_processes_which_slurmstepd_would_enter() -> None:
    before = len(os.listdir("/proc/self/fd"))
    stranger = heard(READY + b"p", 5, by_root=False)
    assert stranger.over and stranger.inside is None and "nobody asked for" in stranger.refused
    assert len(os.listdir("/proc/self/fd")) == before, "nothing of it stays open"
    for packet, count, by_root in ((READY + b"p", 5, True), (READY + b"l", 5, False), (READY, 4, False)):
        taken = heard(packet, count, by_root=by_root)
        assert isinstance(taken.inside, Inside)
        taken.inside.close()


@pytest.mark.parametrize("packet", [b"{", b"{\"a\":" * 1500, json.dumps({"refused": "no"}).encode(), b"", b"ready?"])
def test_whatever_a_builder_says_ends_the_wait(packet: bytes) -> None:
    waiting = heard(packet or b"\0", 0, by_root=False)
    assert waiting.over and waiting.inside is None
