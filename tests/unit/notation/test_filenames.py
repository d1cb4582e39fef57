"""Output file patterns, with what sbatch and its manual make of them."""

import pytest

from slurm.notation import filenames
from slurm.notation.filenames import Fields

BATCH = Fields(job=137, job_name="nm", user="root", node_name="cn01")
STEP = Fields(job=128, step="0", task=1, node=2, node_name="cn03")
TASK = Fields(job=92, array_job=88, array_task=13)


@pytest.mark.parametrize(
    ("pattern", "fields", "name"),
    [
        ("o_%j_%x_%u_%N_%n_%t_%%.txt", BATCH, "o_137_nm_root_cn01_0_0_%.txt"),
        ("f_%J_%s_%a_%A_%5j_%15j_%5x_%5N_%z_%3t_%3s_%5J.out", BATCH, "f_137_batch_4294967294_137_00137_0000000137_nm_cn01_%z_000_batch_00137.out"),
        ("job%J.out", STEP, "job128.0.out"),
        ("job%4j.out", STEP, "job0128.out"),
        ("job%j-%2t.out", STEP, "job128-01.out"),
        ("%n-%N-%3s", STEP, "2-cn03-000"),
        ("slurm-%A_%a.out", TASK, "slurm-88_13.out"),
        ("x%b", TASK, "x3"),
        ("x%5%y", BATCH, "x%y"),
        ("100%", BATCH, "100%"),
        (r"g\%j.out", BATCH, "g%j.out"),
        (r"g\\%j.out", BATCH, r"g\%j.out"),
        ("logs/%x-%j.err", BATCH, "logs/nm-137.err"),
    ],
)
def test_a_pattern_becomes_the_file_name_slurm_makes_of_it(pattern: str, fields: Fields, name: str) -> None:
    assert filenames.expand(pattern, fields) == name


def test_the_default_name_depends_on_being_a_task_of_an_array() -> None:
    assert filenames.expand(filenames.default(None), BATCH) == "slurm-137.out"
    assert filenames.expand(filenames.default(13), TASK) == "slurm-88_13.out"


def test_patterns_tell_whether_each_task_or_node_has_its_own_file() -> None:
    assert filenames.needs_per_task("%j.%2t")
    assert not filenames.needs_per_task("%j.%N")
    assert not filenames.needs_per_task("%%t")
    assert filenames.needs_per_node("%N")
    assert filenames.needs_per_node("%n")
    assert not filenames.needs_per_node("%j")
    assert not filenames.needs_per_task(r"\%t")
