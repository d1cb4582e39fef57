"""Where a value comes from: script, environment, command line, in rising strength; and what goes to job, step and command."""

import pytest

from slurm.model.errors import Unsupported
from slurm.options import tables
from slurm.options.errors import OptionError, UsageError
from slurm.options.option import EFFECTIVE
from slurm.options.resolve import resolve

SCRIPT = "#!/bin/bash\n#SBATCH -p debug -n2\n#SBATCH --time=5\nsrun hostname\n"


def test_the_command_line_beats_the_environment_and_that_the_script() -> None:
    environment = {"SBATCH_PARTITION": "gpu", "SBATCH_TIMELIMIT": "7"}
    resolved = resolve("sbatch", ["-n4", "job.sh"], environment, script=SCRIPT, script_name="job.sh")
    assert resolved.request == {"partition": "gpu", "ntasks": 4, "time_limit": 420}
    assert resolved.origins == {"partition": "SBATCH_PARTITION", "ntasks": "command line", "time_limit": "SBATCH_TIMELIMIT"}


def test_a_stronger_source_takes_the_place_of_what_excludes_it() -> None:
    resolved = resolve("sbatch", ["--mem-per-cpu=1G"], {"SBATCH_MEM_PER_NODE": "4G"}, script="#!/bin/sh\n#SBATCH --mem=8G\n")
    assert resolved.request == {"mem_per_cpu": 1024}
    assert resolved.origins == {"mem_per_cpu": "command line"}


def test_one_source_may_not_set_what_excludes_each_other() -> None:
    with pytest.raises(OptionError) as caught:
        resolve("sbatch", ["--gpus-per-task=1", "--ntasks-per-gpu=2"], {})
    assert caught.value.fatal


def test_variables_of_another_command_are_not_read() -> None:
    environment = {"SBATCH_PARTITION": "a", "SALLOC_PARTITION": "b", "SLURM_PARTITION": "c"}
    assert [resolve(command, [], environment).request["partition"] for command in ("sbatch", "salloc", "srun")] == ["a", "b", "c"]


@pytest.mark.parametrize("text", ["0", "no", "false"])
def test_a_variable_may_switch_a_flag_off(text: str) -> None:
    assert resolve("sbatch", [], {"SBATCH_OVERCOMMIT": text}).request == {}
    assert resolve("sbatch", [], {"SBATCH_OVERCOMMIT": "1"}).request == {"overcommit": True}


def test_an_empty_variable_says_nothing() -> None:
    assert resolve("sbatch", [], {"SBATCH_PARTITION": "", "SBATCH_TIMELIMIT": ""}).request == {}


def test_the_first_of_two_variables_wins() -> None:
    assert resolve("srun", ["true"], {"SLURM_NTASKS": "4", "SLURM_NPROCS": "2"}).step["ntasks"] == 4


def test_the_size_of_planes_may_stand_in_its_own_variable() -> None:
    assert resolve("srun", ["true"], {"SLURM_DISTRIBUTION": "plane", "SLURM_DIST_PLANESIZE": "3"}).step["distribution"] == "plane=3"


def test_inside_a_job_the_name_of_the_job_is_not_that_of_the_step() -> None:
    assert "name" not in resolve("srun", ["true"], {"SLURM_JOB_ID": "1", "SLURM_JOB_NAME": "train"}).step
    assert resolve("srun", ["true"], {"SLURM_JOB_NAME": "train"}).step["name"] == "train"


def test_step_fields_go_to_steps_and_job_fields_to_jobs() -> None:
    resolved = resolve("srun", ["-n2", "-r1", "--overlap", "--exclusive", "-p", "gpu", "-l", "-W", "30", "hostname", "-f"], {})
    assert resolved.step == {"ntasks": 2, "relative": 1, "overlap": True, "exclusive": True}
    assert resolved.request == {"ntasks": 2, "exclusive": "node", "partition": "gpu"}
    assert resolved.settings == {"label": True, "wait": 30}
    assert resolved.rest == ["hostname", "-f"]


def test_the_same_letter_means_each_commands_own_option() -> None:
    assert resolve("sbatch", ["-W"], {}).flag("wait")
    assert resolve("srun", ["-K", "true"], {}).step == {"kill_on_bad_exit": True}
    assert resolve("salloc", ["-K"], {}).text("kill_command") == "TERM"


def test_verbosity_adds_up() -> None:
    assert resolve("sbatch", ["-vv", "-v"], {"SBATCH_DEBUG": "1"}).number("verbose") == 3
    assert resolve("sbatch", [], {"SBATCH_DEBUG": "2"}).number("verbose") == 2


def test_an_error_in_the_script_names_its_line() -> None:
    with pytest.raises(UsageError) as caught:
        resolve("sbatch", [], {}, script="#!/bin/sh\n#SBATCH -N1\n#SBATCH ----ntasks-per-node=8\n", script_name="job.sh")
    assert caught.value.message == "unrecognized option '----ntasks-per-node=8'"
    assert caught.value.hints == ("job.sh: line 3: #SBATCH ----ntasks-per-node=8", "did you mean --ntasks-per-node=8?")
    with pytest.raises(OptionError) as wrong:
        resolve("sbatch", [], {}, script="#!/bin/sh\n#SBATCH --time=soon\n", script_name="job.sh")
    assert wrong.value.hints[0] == "job.sh: line 2: #SBATCH --time=soon"


def test_an_error_in_the_environment_names_its_variable() -> None:
    with pytest.raises(OptionError) as caught:
        resolve("sbatch", [], {"SBATCH_TIMELIMIT": "soon"})
    assert caught.value.hints[0] == "the environment sets SBATCH_TIMELIMIT=soon"


def test_a_word_that_is_no_option_in_a_directive_is_refused() -> None:
    with pytest.raises(OptionError, match="Invalid directive found in batch script: nodes=2"):
        resolve("sbatch", [], {}, script="#!/bin/sh\n#SBATCH nodes=2\n")


def test_directives_without_effect_are_told() -> None:
    resolved = resolve("sbatch", [], {}, script="#!/bin/sh\n#PBS -N x\nhostname\n#SBATCH -n3\n", script_name="job.sh")
    assert resolved.request == {}
    assert resolved.notes == [
        "job.sh: #SBATCH in line 4 comes after the first command and has no effect",
        "job.sh: #PBS in line 2 has no effect: only #SBATCH lines are read",
    ]
    assert resolve("sbatch", ["--ignore-pbs"], {}, script="#!/bin/sh\n#PBS -N x\n").notes == []


@pytest.mark.parametrize(("command", "argv"), [("sbatch", ["-n1", ":", "-n2", "x"]), ("srun", ["a", ":", "-n2", "b"])])
def test_heterogeneous_jobs_are_refused_by_whoever_wants_one_request(command: str, argv: list[str]) -> None:
    with pytest.raises(Unsupported, match="heterogeneous job"):
        resolve(command, argv, {})


def test_a_colon_may_be_the_last_argument_of_a_program() -> None:
    assert resolve("srun", ["bash", "-c", ":"], {}).rest == ["bash", "-c", ":"]


def test_help_and_version_are_found_before_anything_is_wrong() -> None:
    assert resolve("sbatch", ["--version", "-t", "soon"], {"SBATCH_TIMELIMIT": "soon"}).flag("version")


def test_filters_of_looking_commands_are_lists() -> None:
    resolved = resolve("scancel", ["12", "-u", "alice,bob", "13_[1-3]", "-v"], {"SCANCEL_PARTITION": "gpu"})
    assert resolved.settings == {"partition": ["gpu"], "user": ["alice", "bob"], "verbose": 1}
    assert resolved.rest == ["12", "13_[1-3]"]


SAMPLES = {
    "text": "x", "nodes": "2-3", "count": "2", "hint": "nomultithread", "memory": "1G", "gres": "gpu:1", "gpus": "2", "tres_per_task": "cpu=2",
    "exclusive": "user", "distribution": "cyclic", "duration": "10", "no_kill": "on", "signal": "USR1@5", "open_mode": "append", "number": "3",
    "job": "12", "yesno": "1", "immediate": "5", "list": "a,b", "requeue": "1", "level": "1", "gpu_bind": "single:1", "cpu_bind": "cores",
    "tres_bind": "gres/gpu:single:1",
}
"""A text for each kind of value that a variable may hold."""


def _variables() -> list[tuple[str, str, str]]:
    """Command, option and variable, of all that is carried out and may stand in the environment."""
    return [
        (command, row.name, variable)
        for command in tables.COMMANDS for row in tables.rows(command) if row.status == EFFECTIVE
        for variable in row.variables(command)]


@pytest.mark.parametrize(("command", "name", "variable"), _variables())
def test_every_variable_says_what_its_option_says(command: str, name: str, variable: str) -> None:
    row = next(row for row in tables.rows(command) if row.name == name)
    text = SAMPLES.get(row.value, "1")
    word = f"--{name}" if row.value in ("flag", "level", "requeue") else f"--{name}={text}"
    by_option, by_variable = resolve(command, [word], {}), resolve(command, [], {variable: text})
    assert by_variable.request == by_option.request
    assert by_variable.settings == by_option.settings
    assert by_variable.step == by_option.step
    assert by_option.request or by_option.step or by_option.settings


def test_a_jobs_own_sampling_frequency_is_that_of_its_tasks() -> None:
    assert resolve("sbatch", ["--acctg-freq=15"], {}).request == resolve("sbatch", [], {"SBATCH_ACCTG_FREQ": "task=15"}).request == {"sample_seconds": 15}
    assert resolve("srun", ["--acctg-freq=task=0", "true"], {}).step["sample_seconds"] == 0
    told = resolve("sbatch", ["--acctg-freq=energy=5,task=10,network=0"], {})
    assert told.request == {"sample_seconds": 10}
    assert len(told.notes) == 1 and "only task= counts" in told.notes[0]
    with pytest.raises(OptionError) as caught:
        resolve("sbatch", ["--acctg-freq=often"], {})
    assert 'valid: "30", or some of "task=30' in "".join(caught.value.hints)
