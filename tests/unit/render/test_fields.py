"""Every row of the table of fields has its function, its sentence, and a text for every job, step and node."""

import pytest

from slurm.render import fields, job_list, job_values, node_list, node_values, step_values
from slurm.render.fields import Field, Table
from slurm.wire.messages import JobFilter, ListJobs, ListNodes
from tests.compat import lab

TABLES = {"job": (fields.JOB, job_values.GETTERS), "step": (fields.STEP, step_values.GETTERS), "node": (fields.NODE, node_values.GETTERS)}


@pytest.mark.parametrize("name", TABLES)
def test_rows_and_functions_name_the_same_fields(name: str) -> None:
    table, getters = TABLES[name]
    assert {field.name for field in table.fields} == set(getters)


@pytest.mark.parametrize("table", [fields.JOB, fields.STEP, fields.NODE])
def test_names_and_letters_are_unique(table: Table) -> None:
    assert len(table.by_name) == len(table.fields) + sum(bool(field.alias) for field in table.fields)
    assert len(table.by_letter) == sum(bool(field.letter) for field in table.fields)


@pytest.mark.parametrize("field", fields.JOB.fields + fields.STEP.fields + fields.NODE.fields, ids=lambda field: field.name)
def test_every_field_has_a_header_and_a_sentence(field: Field) -> None:
    assert field.header and field.doc.endswith(".")


@pytest.mark.parametrize("field", fields.JOB.fields, ids=lambda field: field.name)
def test_every_job_has_a_text_for_the_field(field: Field) -> None:
    view = lab.view()
    rows = job_list.list_jobs(view, ListJobs(fields=[field.name]), lab.CALLERS["root"], view.now)
    assert len(rows) == 17 and all(isinstance(row[0], str) for row in rows)


@pytest.mark.parametrize("field", fields.STEP.fields, ids=lambda field: field.name)
def test_every_step_has_a_text_for_the_field(field: Field) -> None:
    view = lab.view()
    rows = job_list.list_jobs(view, ListJobs(fields=[field.name], steps=True), lab.CALLERS["root"], view.now)
    assert len(rows) == 8 and all(isinstance(row[0], str) for row in rows)


@pytest.mark.parametrize("field", fields.NODE.fields, ids=lambda field: field.name)
def test_every_node_has_a_text_for_the_field(field: Field) -> None:
    view = lab.view(late=True)
    rows = node_list.list_nodes(view, ListNodes(fields=[field.name, "NodeList"], by_node=True), view.now)
    assert len(rows) == 8 and all(isinstance(row[0], str) for row in rows)


def test_every_letter_of_sort_works() -> None:
    view = lab.view()
    for letter in fields.JOB.by_letter:
        rows = job_list.list_jobs(view, ListJobs(fields=["JobId"], sort=f"-{letter}"), lab.CALLERS["root"], view.now)
        assert len(rows) == 17, letter
    for letter in fields.NODE.by_letter:
        assert node_list.list_nodes(view, ListNodes(fields=["NodeList"], by_node=True, sort=letter), view.now), letter


def test_a_field_that_is_in_no_table_is_refused() -> None:
    view = lab.view()
    with pytest.raises(Exception, match="unknown field: bogus"):
        job_list.list_jobs(view, ListJobs(fields=["bogus"], filter=JobFilter()), lab.CALLERS["root"], view.now)
