"""Options that only hint: each is taken with one warning, so that a script does not fail at its first srun for want of a tuning."""

import pytest

from slurm.model.errors import Unsupported
from slurm.options import tables
from slurm.options.errors import OptionError
from slurm.options.option import HINT, Option
from slurm.options.resolve import resolve

VALUES = {
    "prefer": "fast", "get-user-env": "10L", "gres-flags": "enforce-binding", "mem-bind": "local", "profile": "all",
    "cpu-freq": "1200000-high:performance", "gpu-freq": "medium,memory=high",
    "slurmd-debug": "debug",
}
ROWS = [(command, row) for command in ("sbatch", "srun", "salloc") for row in tables.rows(command) if row.status == HINT]


def word(name: str) -> str:
    return f"--{name}={VALUES[name]}" if name in VALUES else f"--{name}"


@pytest.mark.parametrize(("command", "row"), ROWS, ids=lambda one: getattr(one, "name", one))
def test_a_hint_is_taken_with_one_warning_however_often_it_is_given(command: str, row: Option) -> None:
    resolved = resolve(command, [word(row.name), word(row.name), "true"], {})
    assert resolved.notes == [f"--{row.name}: {row.note}"]


@pytest.mark.parametrize("argument", [
    "--cpu-bind=none", "--mem-bind=nosort", "--profile=None", "--gres-flags=disable-binding"])
def test_a_hint_that_asks_for_what_happens_anyway_needs_no_warning(argument: str) -> None:
    assert resolve("srun", [argument, "true"], {}).notes == []


def test_the_strongest_source_says_whether_there_is_anything_to_warn_of() -> None:
    assert resolve("srun", ["--mem-bind=none", "true"], {"SLURM_MEM_BIND": "local"}).notes == []
    assert len(resolve("srun", ["true"], {"SLURM_MEM_BIND": "local"}).notes) == 1


@pytest.mark.parametrize("argument", ["--cpu-bind=corse", "--mem-bind=foo", "--cpu-freq=fast"])
def test_a_hint_that_nobody_knows_is_refused(argument: str) -> None:
    with pytest.raises(OptionError) as refused:
        resolve("srun", [argument, "true"], {})
    assert refused.value.message == f'unrecognized {argument.replace("=", " argument " + chr(34))}"'


def test_values_that_only_hint_are_taken_with_a_warning_too() -> None:
    for argument in ("--distribution=block,pack", "--hint=memory_bound"):
        assert len(resolve("sbatch", [argument], {}).notes) == 1
    assert resolve("sbatch", ["--hint=compute_bound"], {}).request == {"threads_per_core": 1}
    assert resolve("sbatch", ["--hint=compute_bound"], {}).notes == []


def test_tres_bind_says_in_general_words_what_gpu_bind_says() -> None:
    assert resolve("srun", ["--tres-bind=gres/gpu:single:1", "true"], {}).request == {"gpu_bind": "single:1"}
    with pytest.raises(Unsupported):
        resolve("srun", ["--tres-bind=gres/shard:closest", "true"], {})
