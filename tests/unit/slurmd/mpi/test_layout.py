"""Which rank is where, and what MPICH is told of it."""

from __future__ import annotations

import pytest

from slurm.slurmd.stepd.mpi.layout import LONGEST_MAPPING, parse, process_mapping


@pytest.mark.parametrize(("places", "expected"), [
    ({"n0": "0-3"}, "(vector,(0,1,4))"),
    ({"n0": "0-3", "n1": "4-7"}, "(vector,(0,2,4))"),
    ({"n0": "0-2", "n1": "3"}, "(vector,(0,1,3),(1,1,1))"),
    ({"n0": "0,2,4", "n1": "1,3,5"}, "(vector,(0,2,1))"),  # dealt out in turn: the blocks are gone through again
    ({"n0": "0,2,4", "n1": "1,3"}, "(vector,(0,2,1),(0,2,1),(0,1,1))"),
    ({"n0": "1", "n1": "0"}, "(vector,(1,1,1),(0,1,1))"),
])
def test_blocks_of_ranks_are_written_as_mpich_reads_them(places: dict[str, str], expected: str) -> None:
    size = sum(1 for text in places.values() for part in text.split(",") for _ in range(int(part.split("-")[0]), int(part.split("-")[-1]) + 1))
    assert process_mapping(parse(places.items(), size)) == expected


def test_a_mapping_too_long_for_a_value_is_left_out() -> None:
    places = {f"n{node}": ",".join(str(rank) for rank in range(400) if (rank * rank) % 7 == node or (node == 6 and (rank * rank) % 7 not in range(6)))
              for node in (0, 1, 2, 4)}
    layout = parse(places.items(), 400)
    assert process_mapping(layout) == "" or len(process_mapping(layout)) <= LONGEST_MAPPING


@pytest.mark.parametrize("text", ["", "a", "0-", "1-0", "-1", "0-99999999999999", "0,,1", "0-1,1", "1", "٣"])
def test_places_that_do_not_hold_each_task_once_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"ranks|places"):
        parse([("n0", text)], 2)
