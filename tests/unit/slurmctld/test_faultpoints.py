"""Named points of death."""

import subprocess
import sys

import pytest

from slurm.model.errors import ConfigError
from slurm.slurmctld import faultpoints


def test_an_unknown_point_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="before-append"):
        faultpoints.arm("somewhere")


def test_an_unarmed_point_is_passed() -> None:
    faultpoints.arm("")
    for name in faultpoints.POINTS:
        faultpoints.reached(name)
    assert not faultpoints._name


@pytest.mark.parametrize(("text", "passed"), [("after-append", 0), ("after-append:3", 2)])
def test_the_process_dies_at_the_passage_that_was_named(text: str, passed: int) -> None:
    code = ("import sys; from slurm.slurmctld import faultpoints as f; f.arm(sys.argv[1])\n"
            "for i in range(9): f.reached('before-append'); f.reached('after-append'); print(i, flush=True)")
    done = subprocess.run([sys.executable, "-c", code, text], capture_output=True, text=True, check=False, env={"PYTHONPATH": ":".join(sys.path)})
    assert done.returncode == -9 and done.stdout.split() == [str(i) for i in range(passed)]
