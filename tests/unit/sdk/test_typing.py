"""The program that type checkers are shown is true: it runs."""

from __future__ import annotations

from pathlib import Path

from slurm import Cluster
from tests.unit.sdk import typed_program


def test_the_typed_program_runs_as_its_types_say(tmp_path: Path) -> None:
    with Cluster("inline", job_base_dir=tmp_path) as cluster:
        typed_program.promised()
        typed_program.refused()
        typed_program.contexts_at_the_end()
        assert typed_program.summed([1, 2], 10).result() == 30
        assert typed_program.flow(3).result() == [0, 1, 2]
        assert typed_program.where().result()
        assert typed_program.rank(3).result() == 3
        assert typed_program.later(3).result() == 3
        assert cluster.submit(typed_program.length, time="00:01:00")("x").result() == 1
