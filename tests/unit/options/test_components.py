"""`:` and `#SBATCH hetjob`: one command line and script for several components."""

from __future__ import annotations

import pytest

from slurm.options.components import resolve_all
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved


def asked(components: list[Resolved], *fields: str) -> list[list[object]]:
    return [[one.request.get(field) for field in fields] for one in components]


def test_a_line_without_a_colon_is_one_component() -> None:
    [only] = resolve_all("sbatch", ["-n2", "job.sh", "a", ":", "b"], {})
    assert only.rest == ["job.sh", "a", ":", "b"] and only.request == {"ntasks": 2}


def test_each_component_has_its_options_and_the_first_one_the_script() -> None:
    components = resolve_all("sbatch", ["-n1", ":", "-n2", ":", "-n3", "job.sh", "word"], {})
    assert asked(components, "ntasks") == [[1], [2], [3]]
    assert components[0].rest == ["job.sh", "word"]


def test_some_options_hold_for_the_components_behind_and_others_do_not() -> None:
    components = resolve_all("sbatch", ["-J", "x", "-t5", "-p", "debug", "-n4", "-A", "a", ":", "-A", "b", ":", "-t6", "job.sh"], {})
    assert asked(components, "name", "time_limit", "partition", "ntasks", "account") == [
        ["x", 300, "debug", 4, "a"], ["x", 300, None, None, "b"], ["x", 360, None, None, "b"]]


def test_memory_of_one_component_gives_way_to_another_measure_of_the_next() -> None:
    components = resolve_all("sbatch", ["--mem=100", ":", "--mem-per-cpu=5", "job.sh"], {})
    assert asked(components, "mem_per_node", "mem_per_cpu") == [[100, None], [None, 5]]


def test_a_script_and_a_command_line_are_joined_component_by_component() -> None:
    script = "#!/bin/sh\n#SBATCH -n1 -J s\n#SBATCH hetjob\n#SBATCH -n2 --comment=second\n#SBATCH hetjob\n#SBATCH -n3\n"
    components = resolve_all("sbatch", ["--comment=first", ":", "-n7", "job.sh"], {}, script=script)
    assert asked(components, "ntasks", "name", "comment") == [[1, "s", "first"], [7, "s", "first"], [3, "s", "first"]]


def test_the_environment_holds_for_every_component_but_not_over_the_command_line() -> None:
    components = resolve_all("sbatch", ["-t5", ":", "-n2", "job.sh"], {"SBATCH_TIMELIMIT": "9", "SBATCH_PARTITION": "batch"})
    assert asked(components, "time_limit", "partition") == [[300, "batch"], [300, "batch"]]


def test_the_old_word_packjob_is_warned_of() -> None:
    [first, _] = resolve_all("sbatch", ["job.sh"], {}, script="#!/bin/sh\n#SBATCH -n1\n#SBATCH packjob\n#SBATCH -n2\n")
    assert first.notes == ['the "packjob" component separator is being deprecated. Please, use "hetjob" instead.']


def test_srun_has_a_program_in_each_component() -> None:
    components = resolve_all("srun", ["-n1", "server", "-x", ":", "-n2", "client", "a"], {})
    assert [one.rest for one in components] == [["server", "-x"], ["client", "a"]]


def test_settings_of_any_component_are_the_commands() -> None:
    [first, _] = resolve_all("sbatch", ["-n1", ":", "--wrap=true", "--parsable"], {})
    assert first.text("wrap") == "true" and first.flag("parsable")


def test_help_is_found_in_any_component() -> None:
    [only] = resolve_all("sbatch", ["-n1", ":", "--help"], {})
    assert only.flag("help")


def test_no_more_components_than_slurm_takes() -> None:
    with pytest.raises(OptionError, match="too many components"):
        resolve_all("sbatch", [":"] * 128 + ["job.sh"], {})
