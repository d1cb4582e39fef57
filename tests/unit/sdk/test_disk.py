"""Files of jobs that somebody else may read: their owner decides what lies there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from slurm.sdk.backends.disk import SharedDisk


def test_a_pipe_or_a_device_in_place_of_a_jobs_output_holds_nobody(tmp_path: Path) -> None:
    disk = SharedDisk()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(OSError, match="it is no regular file"):
            disk.read(str(tmp_path / name))
        with pytest.raises(OSError, match="it is no regular file"):
            disk.grown({str(tmp_path / name): 0})
    (tmp_path / "out").write_bytes(b"text")
    with disk.read(str(tmp_path / "out")) as file:
        assert file.read() == b"text"
    assert disk.grown({str(tmp_path / "out"): -2, os.devnull: 0, str(tmp_path / "none"): 0}) == {str(tmp_path / "out"): (4, b"xt")}
