"""The reader of recorded sessions reads them whole."""

import pytest

from tests.compat.transcript import all_transcripts, find, masked, parse, transcript


def test_every_prompt_of_every_file_becomes_an_entry() -> None:
    counts = {name: len(transcript(name)) for name in ("submit", "squeue", "sinfo", "errors", "scontrol", "cancel")}
    assert counts == {"submit": 22, "squeue": 43, "sinfo": 27, "errors": 65, "scontrol": 69, "cancel": 14}
    assert {entry.user for entry in all_transcripts()} == {"root", "alice", "bob"}


def test_output_errors_and_status_are_told_apart() -> None:
    entry = find("submit", 'srun -n2 bash -c "exit 3"')
    assert entry.stdout == ()
    assert entry.stderr == ("srun: error: cn01: tasks 0-1: Exited with exit code 3",)
    assert entry.status == 3


def test_a_command_left_waiting_has_no_status() -> None:
    assert [entry.status for entry in all_transcripts()].count(None) == 3


def test_blank_lines_that_were_printed_stay() -> None:
    blocks = "\n".join(find("scontrol", "scontrol show partition").stdout).split("\n\n")
    assert [block.split()[0] for block in blocks if block.strip()] == ["PartitionName=debug", "PartitionName=batch", "PartitionName=gpu"]


def test_a_here_document_belongs_to_its_command() -> None:
    entry = next(entry for entry in transcript("runtime_messages") if "sig.sh" in entry.command)
    assert entry.command.endswith("X\nsbatch -W -o sig.out sig.sh; cat sig.out")
    assert entry.stdout[0] == "Submitted batch job 136"


def test_log_lines_in_brackets_are_output() -> None:
    assert any(line.startswith("[2026-11-21T") for entry in transcript("runtime_messages") for line in entry.stdout)


def test_masking_hides_moments_and_ids() -> None:
    assert masked(["Submitted batch job 57", "sbatch: Job 61 to start at 2026-11-21T00:47:03 a"]) == (
        "Submitted batch job <id>",
        "sbatch: Job <id> to start at <moment> a",
    )


def test_text_before_the_first_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="before the first"):
        parse("x", "hello\n[root]$ true\n")
