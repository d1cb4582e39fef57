"""The faults that prove the fuzzers can still be planted: each stands once in the sources as they are."""

import pytest

from tests.fuzz.mutations import FAULTS, Fault
from tests.meta.source import SRC


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_can_be_planted(fault: Fault) -> None:
    text = (SRC / "slurm" / fault.file).read_text(encoding="utf-8")
    assert text.count(fault.sound) == 1
