"""Output of many tasks, put together line by line."""

from hypothesis import given
from hypothesis import strategies as st

from slurm.commands.launching.lines import LONGEST_LINE, LineSorter


def sorted_lines(pieces: list[tuple[int, bytes]], ntasks: int = 2, *, label: bool = False, unbuffered: bool = False) -> list[bytes]:
    written: list[bytes] = []
    sorter = LineSorter(written.append, ntasks, label=label, unbuffered=unbuffered)
    for rank, data in pieces:
        sorter.add(rank, data)
    sorter.flush()
    return written


def test_tasks_do_not_interleave_within_a_line() -> None:
    assert sorted_lines([(0, b"on"), (1, b"two\n"), (0, b"e\nthr"), (0, b"ee")]) == [b"two\n", b"one\n", b"three"]


def test_a_single_task_is_passed_on_at_once_so_that_a_prompt_is_seen() -> None:
    assert sorted_lines([(0, b"name? ")], ntasks=1) == [b"name? "]


def test_unbuffered_output_is_passed_on_at_once() -> None:
    assert sorted_lines([(0, b"a"), (1, b"b")], unbuffered=True) == [b"a", b"b"]


def test_labels_stand_right_justified_before_each_line() -> None:
    assert b"".join(sorted_lines([(3, b"a\nb\n"), (11, b"c\n")], ntasks=12, label=True)) == b" 3: a\n 3: b\n11: c\n"


def test_a_labelled_last_line_gets_its_end() -> None:
    assert sorted_lines([(0, b"half"), (0, b"")], label=True) == [b"0: half\n"]


def test_an_empty_line_is_labelled_too() -> None:
    assert sorted_lines([(0, b"\n\nx\n")], label=True) == [b"0: \n0: \n0: x\n"]


def test_a_stream_that_ends_lets_go_of_its_last_line_as_it_is() -> None:
    assert sorted_lines([(0, b"half"), (1, b"whole\n"), (0, b"")]) == [b"whole\n", b"half"]


def test_a_progress_bar_moves_without_ending_its_line() -> None:
    assert sorted_lines([(0, b"10%\r20%\r30%")])[:1] == [b"10%\r20%\r"]


def test_a_line_without_end_is_passed_on_in_parts() -> None:
    endless = b"x" * (LONGEST_LINE + 1)
    assert sorted_lines([(0, endless), (1, b"y\n")]) == [endless, b"y\n"]


@given(st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=20)), max_size=30))
def test_every_byte_of_every_task_comes_through_in_its_order(pieces: list[tuple[int, bytes]]) -> None:
    together = {rank: b"".join(data for one, data in pieces if one == rank) for rank in range(4)}
    for rank, data in together.items():
        assert b"".join(sorted_lines([(0, piece) for one, piece in pieces if one == rank], ntasks=4)) == data
