"""The rows agree with the records they fill and the readers they name."""

import msgspec
import pytest

from slurm.core import update_keys
from slurm.model.request import JobRequest, StepRequest
from slurm.options import tables, usage, values
from slurm.options.option import DECLINED, JOB_COMMANDS, REFUSED, STEP_FIELDS, STEP_ONLY

JOB_FIELDS = {field.name for field in msgspec.structs.fields(JobRequest)}
STEP_REQUEST_FIELDS = {field.name for field in msgspec.structs.fields(StepRequest)}


@pytest.mark.parametrize("command", tables.COMMANDS)
def test_every_row_names_a_reader_and_letters_are_unique(command: str) -> None:
    rows = tables.rows(command)
    assert {row.value for row in rows} <= set(values.READERS)
    letters = [row.short for row in rows if row.short]
    shared = {letter for letter in letters if letters.count(letter) > 1}
    aliases = {"squeue": {"j", "s"}, "scancel": {"n"}, "scontrol": {"M"}, "strigger": {"M"}}
    assert shared <= aliases.get(command, set())


@pytest.mark.parametrize("command", JOB_COMMANDS)
def test_every_field_that_a_row_sets_exists(command: str) -> None:
    wanted = {field for row in tables.rows(command) for field in row.sets.split()}
    assert wanted - STEP_ONLY <= JOB_FIELDS
    assert wanted & STEP_ONLY <= STEP_REQUEST_FIELDS


def test_the_fields_of_steps_are_those_of_the_record() -> None:
    assert STEP_FIELDS <= STEP_REQUEST_FIELDS
    assert STEP_ONLY == STEP_FIELDS - JOB_FIELDS


def test_update_keys_are_unique() -> None:
    keys = [row.update for row in tables.rows("sbatch") if row.update]
    assert len(keys) == len(set(keys))


def test_every_update_key_of_a_row_is_one_that_the_core_reads() -> None:
    assert {row.update.lower() for row in tables.rows("sbatch") if row.update} <= set(update_keys.KEYS)


@pytest.mark.parametrize("command", tables.COMMANDS)
def test_help_names_every_option_once(command: str) -> None:
    text = usage.help_text(command)
    for row in tables.rows(command):
        assert (f"--{row.name}" in text) is not bool(row.plugin)
        if row.status not in (REFUSED, DECLINED) and not row.plugin:
            assert row.help in text
    assert text.isascii()
    assert usage.usage_text(command).startswith(f"Usage: {command} ")


def test_the_help_of_srun_promises_no_pyxis_to_those_who_look_there_for_it() -> None:
    assert "--container-image" in {f"--{row.name}" for row in tables.rows("srun")}
    assert "container-image" not in usage.help_text("srun") + usage.usage_text("srun")


def test_a_command_without_a_table_is_unknown() -> None:
    with pytest.raises(KeyError):
        tables.rows("sleep")
