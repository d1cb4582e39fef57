"""The three tables: every row says what it is, every row that is not carried out says so, and the compatibility page repeats them all."""

import os
import re
import subprocess
import sys

import pytest

from slurm.config import schema, values
from slurm.options import option as options
from slurm.options import tables
from slurm.render import fields, fields_accounting
from tests.meta.source import ROOT, SRC, modules

TESTS = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").rglob("test_*.py"))}
ABOUT_ITSELF = {"help", "usage", "version"}  # shown for every command by tests/unit/options
FIELD_TABLES = {"JOB": fields.JOB, "STEP": fields.STEP, "NODE": fields.NODE, "PAST_JOB": fields_accounting.JOB, "RUNNING_STEP": fields_accounting.RUNNING_STEP}


@pytest.mark.parametrize("command", tables.COMMANDS)
def test_every_option_says_what_it_does_and_why_it_does_not(command: str) -> None:
    rows = tables.rows(command)
    assert len({row.name for row in rows}) == len(rows), f"{command} has an option twice"
    assert not [row for row in rows if not row.help]
    assert not [row for row in rows if row.status != options.EFFECTIVE and not row.note]


@pytest.mark.parametrize("command", tables.COMMANDS)
def test_every_option_that_is_carried_out_is_given_in_a_test(command: str) -> None:
    untested = [row.name for row in tables.rows(command) if row.status == options.EFFECTIVE and row.name not in ABOUT_ITSELF and not _given(row, command)]
    assert not untested, f"{command} carries these out, and no test gives them: {untested}"


def _given(row: options.Option, command: str) -> bool:
    """Whether a test that knows the command has a word that is this option. What fills a request is the same for all that submit."""
    knowing = [name for name in row.commands.split() if row.sets] or [command]
    short = rf"|(?<=[\"' ])-{re.escape(row.short)}" if row.short else ""
    word = re.compile(rf"--{re.escape(row.name)}(?![\w-]){short}")
    return any(word.search(text) for text in TESTS.values() if any(name in text for name in knowing))


@pytest.mark.parametrize("command", tables.COMMANDS)
def test_every_setting_of_a_command_is_looked_at_by_one(command: str) -> None:
    elsewhere = ("slurm.options.resolve", "slurm.net.circumstances", "slurm.net.container_options")
    text = "".join(module.text for module in modules() if module.room == "commands" or module.name in elsewhere)
    ignored = [row.name for row in tables.rows(command) if row.status == options.EFFECTIVE and not row.sets and f'"{row.key}"' not in text]
    assert not ignored, f"accepted by {command} and then forgotten: {ignored}"


@pytest.mark.parametrize("name", schema.SECTIONS)
def test_every_configuration_key_has_a_reader_and_a_reason_where_it_is_not_carried_out(name: str) -> None:
    rows = list(schema.section(name))
    assert rows
    assert not [row.name for row in rows if row.kind not in {*values.READERS, "choice"}]
    assert not [row.name for row in rows if row.standing == schema.NOT_YET and not row.note]


def test_every_key_of_slurm_conf_that_is_carried_out_is_read_by_somebody() -> None:
    text = "".join(module.text for module in modules() if not module.name.startswith("slurm.config.schema"))
    unread = [row.name for row in schema.section("slurm.conf") if row.standing == schema.EFFECTIVE and not re.search(rf"\b{row.name}\b", text, re.IGNORECASE)]
    assert not unread, f"accepted and then forgotten: {unread}"


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


@pytest.mark.parametrize("generator", ["compatibility.py", "limits.py"])
def test_a_page_that_is_made_from_tables_is_what_they_say(generator: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    command = [sys.executable, str(ROOT / "docs" / generator), "--check"]
    checked = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert checked.returncode == 0, checked.stderr


def test_what_is_not_carried_out_says_which_issue_will_change_that_or_why_none_will() -> None:
    environment = {**os.environ, "PYTHONPATH": f"{SRC}{os.pathsep}{ROOT / 'docs'}"}
    command = [sys.executable, "-c", "import compatibility; print(*compatibility.unplanned(), sep='\\n')"]
    told = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=True)
    assert told.stdout.strip() == ""
    page = (ROOT / "docs/compatibility.md").read_text(encoding="utf-8")
    assert [line for line in page.splitlines() if "| not yet |" in line and "(issue " not in line] == []
