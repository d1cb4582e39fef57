"""What -o, -e and -i lead to."""

from pathlib import Path

import pytest

from slurm.commands.launching.redirect import CannotOpen, Stream, Streams, fields_of, open_streams, plan

FIELDS = fields_of(12, 3, {"SLURM_JOB_NAME": "name", "SLURM_JOB_USER": "alice", "SLURM_ARRAY_JOB_ID": "10", "SLURM_ARRAY_TASK_ID": "2"})


def test_without_options_srun_carries_everything() -> None:
    assert plan("", "", "", FIELDS, 4) == Streams(Stream("all"), Stream(""), Stream(""))
    assert plan("all", "all", "all", FIELDS, 4) == plan("", "", "", FIELDS, 4)


def test_a_file_for_output_takes_errors_too_unless_they_have_their_own() -> None:
    assert plan("", "out", "", FIELDS, 4).stderr == Stream("", "out")
    assert plan("", "out", "err", FIELDS, 4).stderr == Stream("", "err")
    assert plan("", "out_%t", "", FIELDS, 4).stderr == Stream("out_%t")


def test_one_task_or_none_can_be_chosen() -> None:
    streams = plan("0", "3", "none", FIELDS, 4)
    assert (streams.stdin, streams.stdout, streams.stderr) == (Stream("0"), Stream("3"), Stream("none"))
    assert plan("", "none", "", FIELDS, 4).stderr == Stream("")
    assert [stream.carried for stream in streams] == [True, True, False]


def test_a_number_beyond_the_tasks_is_the_name_of_a_file() -> None:
    streams = plan("4", "4", "7", FIELDS, 4)
    assert (streams.stdin.path, streams.stdout.path, streams.stderr.path) == ("4", "4", "7")


def test_symbols_of_the_whole_step_are_filled_in_here() -> None:
    assert plan("", "%j.%s_%x_%u_%A_%a_%J", "", FIELDS, 4).stdout.path == "12.3_name_alice_10_2_12.3"


@pytest.mark.parametrize("pattern", ["%t", "%n", "%N", "x_%2t.out"])
def test_files_for_each_task_or_node_are_left_to_the_nodes(pattern: str) -> None:
    assert plan(pattern, pattern, "", FIELDS, 4).stdout == Stream(pattern)
    assert plan(pattern, "", "", FIELDS, 4).stdin == Stream(pattern)


def test_a_file_for_both_streams_is_opened_once(tmp_path: Path) -> None:
    opened = open_streams(plan("none", "out", "", FIELDS, 4), str(tmp_path), append=False)
    assert opened.stdin == -1
    assert opened.stdout == opened.stderr > 2


def test_existing_output_is_replaced_or_continued(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("before")
    open_streams(plan("", "out", "", FIELDS, 4), str(tmp_path), append=True)
    assert (tmp_path / "out").read_text() == "before"
    open_streams(plan("", "out", "", FIELDS, 4), str(tmp_path), append=False)
    assert (tmp_path / "out").read_text() == ""


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotOpen, match="Could not open stdout file .*/none/out: No such file or directory"):
        open_streams(plan("", "none/out", "", FIELDS, 4), str(tmp_path), append=False)
    with pytest.raises(CannotOpen, match="Could not open stdin file .*/missing: No such file or directory"):
        open_streams(plan("missing", "", "", FIELDS, 4), str(tmp_path), append=False)
