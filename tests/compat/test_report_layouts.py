"""Headers of squeue and sinfo: each layout's first line as in the recorded sessions."""

import shlex

import pytest

from slurm.render import fields, format
from tests.compat.transcript import find

SHORT = {
    ("squeue", "squeue"): format.JOBS,
    ("squeue", "squeue --start"): format.JOBS_START,
    ("squeue", "squeue -s"): format.STEPS,
}


@pytest.mark.parametrize(("source", "command"), SHORT)
def test_the_default_layouts_have_slurms_header(source: str, command: str) -> None:
    table = fields.STEP if command.endswith("-s") else fields.JOB
    assert format.lines(format.parse_short(SHORT[source, command], table), [])[0] == find(source, command).stdout[0]


def test_the_long_layout_has_slurms_header_below_the_date() -> None:
    assert format.lines(format.parse_short(format.JOBS_LONG, fields.JOB), [])[0] == find("squeue", "squeue -l").stdout[1]


@pytest.mark.parametrize(
    "command",
    [
        'squeue -t R -o "%i %j %u %t %M %D %R"',
        'squeue --format="%.10i %.15j %.8u %.2t %.10M %.6D %R"',
        'squeue -o "%.8i %.9P %.20j %.8u %.2t %M %l %R"',
        'squeue -o "%all" | head -5',
    ],
)
def test_layouts_written_with_letters_have_slurms_header(command: str) -> None:
    text = shlex.split(command.replace("--format=", "-o "))
    layout = format.parse_short(text[text.index("-o") + 1], fields.JOB, format.ALL_JOBS)
    assert format.lines(layout, [])[0] == find("squeue", command).stdout[0]


@pytest.mark.parametrize(
    "command",
    ["squeue -O jobid,name,state,timeused", 'squeue -O "JobArrayID:20,Name:.15,tres-alloc:40,Reason"'],
)
def test_layouts_written_with_names_have_slurms_header(command: str) -> None:
    layout = format.parse_long(shlex.split(command)[-1], fields.JOB)
    assert not layout.unknown
    assert format.lines(layout, [])[0] == find("squeue", command).stdout[0]


@pytest.mark.parametrize(
    "command",
    ['sinfo --format="%.15N %.6T %.14C %.10m %.25f %25G"', 'sinfo -o "%P %N %G %c %m %l"'],
)
def test_layouts_of_nodes_written_with_letters_have_slurms_header(command: str) -> None:
    text = shlex.split(command.replace("--format=", "-o "))[-1]
    assert format.lines(format.parse_short(text, fields.NODE), [])[0] == find("sinfo", command).stdout[0]


@pytest.mark.parametrize(
    ("command", "layout"),
    [
        ("sinfo", format.NODES),
        ("sinfo -s", format.NODES_SUMMARY),
        ("sinfo -N", format.NODES_BY_NODE),
        ("sinfo -R", format.REASONS),
        ("sinfo -Rl", format.REASONS_LONG),
    ],
)
def test_the_default_layouts_of_nodes_name_the_columns_that_slurm_names(command: str, layout: str) -> None:
    lines = find("sinfo", command).stdout
    header = next(line for line in lines if line.split()[0].isupper())
    assert [cell for cell in format.parse_short(layout, fields.NODE).header] == header.split()


def test_the_list_of_field_names_is_slurms() -> None:
    assert tuple(format.names_in_columns(fields.JOB.names())) == find("squeue", "squeue --helpFormat").stdout
