"""The three tables: every row says what it is, every row that is not carried out says so, and the compatibility page repeats them all."""

import os
import subprocess
import sys

import pytest

from slurm.config import schema, values
from slurm.options import option as options
from slurm.options import tables
from slurm.render import fields
from tests.meta.source import ROOT, SRC

FIELD_TABLES = {"JOB": fields.JOB, "STEP": fields.STEP, "NODE": fields.NODE}


@pytest.mark.parametrize("command", tables.COMMANDS)
def test_every_option_says_what_it_does_and_why_it_does_not(command: str) -> None:
    rows = tables.rows(command)
    assert len({row.name for row in rows}) == len(rows), f"{command} has an option twice"
    assert not [row for row in rows if not row.help]
    assert not [row for row in rows if row.status != options.EFFECTIVE and not row.note]


@pytest.mark.parametrize("name", schema.SECTIONS)
def test_every_configuration_key_has_a_reader_and_a_reason_where_it_is_not_carried_out(name: str) -> None:
    rows = list(schema.section(name))
    assert rows
    assert not [row.name for row in rows if row.kind not in {*values.READERS, "choice"}]
    assert not [row.name for row in rows if row.standing == schema.NOT_YET and not row.note]


@pytest.mark.parametrize("name", schema.SECTIONS)
def test_every_default_of_a_configuration_key_is_a_value_its_reader_takes(name: str) -> None:
    refused = []
    for row in schema.section(name):
        try:
            values.default(row)
        except ValueError as error:
            refused.append(f"{row.name}={row.default}: {error}")
    assert not refused


@pytest.mark.parametrize("name", FIELD_TABLES)
def test_every_report_field_says_what_it_shows(name: str) -> None:
    assert not [field.name for field in FIELD_TABLES[name].fields if not field.doc.endswith(".")]


def test_the_compatibility_page_is_what_the_tables_say() -> None:
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    command = [sys.executable, str(ROOT / "docs" / "compatibility.py"), "--check"]
    checked = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert checked.returncode == 0, checked.stderr
