"""How the published SDK's functions read the keywords of its decorators."""

from __future__ import annotations

from typing import Any

import pytest

from slurm.sdk.published.words import normalize_sbatch_key, normalize_sbatch_options, parse_packaging_config


@pytest.mark.parametrize(("packaging", "found"), [
    ("", None), ("auto", {"type": "auto"}), ("container", {"type": "container"}), ("container:reg:5000/a:1", {"type": "container", "image": "reg:5000/a:1"}),
    ("repo/img:tag", {"type": "container", "image": "repo/img:tag"}), ({"type": "none"}, {"type": "none"})])
def test_packaging_is_read_from_a_word_or_a_dictionary(packaging: Any, found: Any) -> None:
    assert parse_packaging_config(packaging) == found
    if found:
        assert parse_packaging_config(packaging, {"push": False}) == {**found, "push": False}


def test_names_of_options_are_normalised() -> None:
    assert [normalize_sbatch_key(key) for key in (" Cpus-Per-Task", "name")] == ["cpus_per_task", "job_name"]
    assert normalize_sbatch_options({"memory": "1G", "name": "n", None: 1}) == {"mem": "1G", "job_name": "n"}
    assert normalize_sbatch_options({"memory": "1G", "mem": "2G"}) == {"memory": "1G", "mem": "2G"}
