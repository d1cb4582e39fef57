"""The sortable id of a job."""

from slurm.notation import sluid


def test_ids_have_fourteen_characters_and_sort_by_submission() -> None:
    first, second, later = sluid.show(1_800_000_000.0, 1), sluid.show(1_800_000_000.0, 2), sluid.show(1_800_000_001.0, 1)
    assert [len(shown) for shown in (first, second, later)] == [14, 14, 14]
    assert first < second < later
