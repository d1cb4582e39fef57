"""The table itself: every row can be read, has a default that its own kind accepts, and says why where it is not carried out."""

import subprocess
import sys

import pytest

from slurm.config import schema, values

ROWS = [(name, row) for name in schema.SECTIONS for row in schema.section(name)]


@pytest.mark.parametrize("name", schema.SECTIONS)
def test_a_section_has_rows_and_no_name_twice(name: str) -> None:
    names = [row.name.lower() for row in schema.section(name)]
    assert names
    assert len(names) == len(set(names)) == len(schema.section(name))


def test_every_row_has_a_kind_that_can_be_read_and_a_default_of_that_kind() -> None:
    for section, row in ROWS:
        assert row.kind in values.READERS or (row.kind == "choice" and row.choices), (section, row.name)
        if row.default:
            assert values.default(row) is not None or values.read(row, row.default) is None, (section, row.name)


def test_every_row_that_is_not_carried_out_says_what_does_not_happen() -> None:
    silent = [(section, row.name) for section, row in ROWS if not row.note and row.standing != schema.EFFECTIVE and row.kind != "live"]
    assert silent == []


def test_the_rows_shown_are_as_many_as_slurm_shows() -> None:
    assert sum(row.shown for row in schema.section("slurm.conf")) == 220


def test_names_are_found_without_regard_to_case_and_unknown_ones_are_not() -> None:
    assert schema.section("slurm.conf").get("killWAIT") is schema.section("slurm.conf")["KillWait"]
    assert schema.section("NodeName").get("KillWait") is None


def test_every_key_with_switches_is_a_list_of_the_table() -> None:
    for key in ("SchedulerParameters", "SlurmdParameters", "DependencyParameters", "SelectTypeParameters"):
        assert schema.switches(key)
        assert schema.section("slurm.conf")[key].kind in ("list", "uplist")


def test_commands_pay_for_no_heavy_module() -> None:
    heavy = "msgspec dataclasses asyncio argparse logging inspect numpy pathlib uuid tempfile slurm.config.nodes slurm.notation.hostlist"
    code = f"import sys, slurm.config.keys; print([m for m in '{heavy}'.split() if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
