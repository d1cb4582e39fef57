"""What `slurm explain` shows of a failed job's error file."""

from __future__ import annotations

from pathlib import Path

from slurm.commands.explain import _last_lines
from slurm.sdk.backends.disk import SharedDisk


def test_a_file_that_was_never_written_is_not_said_to_hold_what_the_job_wrote(tmp_path: Path) -> None:
    missing = tmp_path / "none" / "job.err"
    assert _last_lines(SharedDisk(), str(missing)) == [f"There is no {missing}: it wrote nothing, or to a node's own disk"]
    (tmp_path / "job.err").write_text("first\n\nlast\n")
    assert _last_lines(SharedDisk(), str(tmp_path / "job.err")) == [f"The last lines of {tmp_path}/job.err:", "  first", "  last"]
