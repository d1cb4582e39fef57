"""Our tables against the names that a real Slurm knows: options, their letters and arguments, input variables, field names."""

import json
from functools import cache
from typing import Any

import pytest

from slurm.commands import running_steps
from slurm.options import tables
from slurm.render import accounting_values, fields, fields_accounting
from tests.compat.transcript import GOLDENS

SUBMITTING = ("sbatch", "srun", "salloc")

# Where the recorded names, taken from manual pages, do not say what the program does: `--mem` needs its argument,
# `-k`, `-K`, `--get-user-env`, srun's `--export`, `--resv-ports` and its `--bcast` may go without, `--wrap` may not.
MANUAL_MISLEADS = frozenset({"mem", "no-kill", "kill-on-bad-exit", "get-user-env", "export", "wrap", "bcast", "resv-ports"})

# No names were recorded: of a program that Slurm's sources bring along, and of sgather.
BESIDE = ("seff", "sgather")

# Variables that stand for no option: they are about the program, or about what it tells the job.
NO_OPTION = frozenset(
    {
        "SLURM_CONF",
        "SLURM_DEBUG_FLAGS",
        "SLURM_EXIT_ERROR",
        "SLURM_EXIT_IMMEDIATE",
        "SLURM_UMASK",
        "SLURM_TEST_EXEC",
        "SLURM_DIST_PLANESIZE",
    }
    | {"SLURM_STEP_KILLED_MSG_NODE_ID=ID", "SLURM_SRUN_REDUCE_TASK_EXIT_MSG", "SLURM_PMI_KVS_NO_DUP_KEYS"}
    # The waiting half of --switches, which changes nothing here.
    | {"SBATCH_WAIT4SWITCH", "SLURM_WAIT4SWITCH", "SALLOC_WAIT4SWITCH"}
    | {"PMI_FANOUT", "PMI_FANOUT_OFF_HOST", "PMI_TIME"}
)


@cache
def _reference() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((GOLDENS / "options.json").read_text(encoding="utf-8"))
    return found


# Recorded up to the first underscore only.
CUT_SHORT = frozenset({"backup", "burst", "primary"})


@pytest.mark.parametrize("command", [command for command in tables.COMMANDS if command not in BESIDE])
def test_every_option_of_slurm_has_a_row(command: str) -> None:
    names = {option.name for option in tables.rows(command)}
    missing = set(_reference()[command]["options"]) - names - {name.partition("_")[0] for name in names if name.partition("_")[0] in CUT_SHORT}
    assert not missing, f"{command} does not know {sorted(missing)}"


@pytest.mark.parametrize("command", SUBMITTING)
def test_every_option_has_the_letter_and_argument_it_has_in_slurm(command: str) -> None:
    ours = {option.name: option for option in tables.rows(command)}
    wrong = []
    for name, real in _reference()[command]["options"].items():
        option = ours.get(name)
        if option is None or name in MANUAL_MISLEADS:
            continue
        argument = "required" if option.takes_argument else "optional" if option.allows_argument else "none"
        if (option.short or None) != real["short"] or argument != real["arg"]:
            wrong.append(f"--{name}: letter {option.short!r}, argument {argument}; Slurm: {real['short']!r}, {real['arg']}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("command", SUBMITTING)
def test_every_input_variable_that_stands_for_an_option_is_in_its_row(command: str) -> None:
    known = {variable for option in tables.rows(command) for variable in option.variables(command)}
    missing = set(_reference()[command]["input_env"]) - known - NO_OPTION
    assert not missing, f"{command} does not read {sorted(missing)}"


def test_every_field_of_squeue_has_a_row() -> None:
    missing = set(_reference()["squeue"]["Format_fields"]) - {field.name for table in (fields.JOB, fields.STEP) for field in table.fields}
    assert {name for name in missing if name.lower() not in fields.JOB.by_name} == set()


@pytest.mark.parametrize(("command", "table"), [("sacct", fields_accounting.JOB), ("sstat", fields_accounting.RUNNING_STEP)])
def test_every_field_of_accounting_has_a_row_with_a_column_and_its_text(command: str, table: fields.Table) -> None:
    assert table.names() == _reference()[command]["format_fields"]
    assert not [field.name for field in table.fields if not field.width]
    made = accounting_values.GETTERS.keys() | running_steps.OWN
    assert not [field.name for field in table.fields if field.name not in made]


def test_every_field_of_sinfo_has_a_row() -> None:
    missing = {name for name in _reference()["sinfo"]["Format_fields"] if name.lower() not in fields.NODE.by_name}
    assert not missing
