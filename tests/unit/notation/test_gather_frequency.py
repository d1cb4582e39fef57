"""How often usage is looked at, as people write it."""

from __future__ import annotations

import pytest

from slurm.notation import gather_frequency
from slurm.notation.errors import NotationError


@pytest.mark.parametrize(("text", "found"), [
    ("30", {"task": 30}), ("0", {"task": 0}), ("task=15", {"task": 15}), ("Task=5,energy=60,network=0,filesystem=7", {"task": 5, "energy": 60, "network": 0, "filesystem": 7}),
    ("energy=10, task=3", {"energy": 10, "task": 3})])
def test_a_frequency_is_a_number_or_one_for_each_kind(text, found):
    assert gather_frequency.parse(text) == found
    assert gather_frequency.parse(gather_frequency.show(found)) == found


@pytest.mark.parametrize("text", ["", "often", "task", "task=", "task=-1", "task=1.5", "disk=3", "task=1,task=2", "30,60", "task=12345678", "task=٣"])
def test_anything_else_is_refused_with_what_is_valid(text):
    with pytest.raises(NotationError, match="is no frequency.*valid: \"30\", or some of"):
        gather_frequency.parse(text)
