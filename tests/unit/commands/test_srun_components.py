"""For which components of a heterogeneous job srun makes steps, and what it asks for each."""

from __future__ import annotations

import pytest

from slurm.commands.launching.components import environ_of, groups, parts_of, require_simple, together
from slurm.model.errors import InvalidRequest
from slurm.options.errors import OptionError

INSIDE = {
    "SLURM_HET_SIZE": "2", "SLURM_JOB_ID": "12", "SLURM_JOB_ID_HET_GROUP_0": "12", "SLURM_JOB_ID_HET_GROUP_1": "13", "SLURM_NTASKS": "1",
    "SLURM_NTASKS_HET_GROUP_0": "1", "SLURM_NTASKS_HET_GROUP_1": "4", "SLURM_MEM_PER_NODE": "5", "SLURM_MEM_PER_NODE_HET_GROUP_0": "5", "HOME": "/"}


def asked(*argv: str, environ: dict[str, str] = INSIDE) -> list[tuple[int | None, object, list[str]]]:
    return [(part.group, part.resolved.step.get("ntasks"), part.resolved.rest) for part in parts_of(argv, environ, 0.0)]


def test_a_step_is_made_on_the_first_component_unless_others_are_named() -> None:
    assert asked("true") == [(0, 1, ["true"])]
    assert asked("--het-group=1", "true") == [(1, 4, ["true"])]
    assert asked("--het-group=0-1", "true") == [(0, 1, ["true"]), (1, 4, ["true"])]


def test_a_colon_parts_the_programs_of_the_components() -> None:
    assert asked("server", ":", "-n2", "client", "x") == [(0, 1, ["server"]), (1, 2, ["client", "x"])]
    assert asked("-n1", ":", "-n2", "both") == [(0, 1, ["both"]), (1, 2, ["both"])]


def test_outside_of_one_a_line_without_a_colon_is_about_an_ordinary_job() -> None:
    assert asked("-n3", "true", environ={}) == [(None, 3, ["true"])]
    assert asked("-n3", "a", ":", "-n1", "b", environ={}) == [(0, 3, ["a"]), (1, 1, ["b"])]
    with pytest.raises(OptionError, match="--het-group names components of a job that runs"):
        asked("--het-group=1", "true", environ={})


def test_the_variables_of_a_component_take_the_place_of_all_others_and_the_jobs_number_stays_the_leaders() -> None:
    told = environ_of(INSIDE, 1)
    assert (told["SLURM_NTASKS"], told["SLURM_JOB_ID"], told["HOME"]) == ("4", "12", "/")
    assert "SLURM_MEM_PER_NODE" not in told


@pytest.mark.parametrize("text", ["", "x", "1-", "3-1", "-1", "0,,1"])
def test_what_is_no_list_of_components_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="Invalid --het-group specification"):
        groups(text)


def test_a_component_is_named_once() -> None:
    with pytest.raises(OptionError, match="named twice"):
        asked("--het-group=0", "a", ":", "--het-group=0", "b")


def test_what_a_step_over_several_components_cannot_do_is_refused() -> None:
    for option in ("--multi-prog", "--bcast"):
        with pytest.raises(InvalidRequest, match=option):
            require_simple(parts_of(("--het-group=0,1", option, "file"), INSIDE, 0.0))


def test_grants_become_one_layout_in_which_a_node_may_come_twice() -> None:
    granted = {"job_id": 12, "layout": [{"node": "n1", "ranks": [0]}], "components": [
        {"job_id": 13, "layout": [{"node": "n1", "ranks": [1]}, {"node": "n2", "ranks": [2]}]}]}
    found = together(granted, [{"argv": ["a"]}, {"argv": ["b"]}])
    assert [(place["place"], place["ranks"], place["launch"]["argv"]) for place in found["layout"]] == [
        ("n1", [0], ["a"]), ("n1+1", [1], ["b"]), ("n2", [2], ["b"])]
