"""What pages make of texts and numbers: output as a terminal leaves it, devices, plots."""

from __future__ import annotations

import pytest

from slurm.slurmrestd.web import charts, rendering
from slurm.slurmrestd.web.job import readable, timeline
from slurm.slurmrestd.web.node_list import gpus
from slurm.slurmrestd.web.visit import local


@pytest.mark.parametrize(("text", "shown"), [
    ("a\r\nb\n", "a\nb\n"), ("10%\r20%\r100%\ndone", "100%\ndone"), ("\x1b[31mred\x1b[0m\n", "red\n"), ("bell\x07", "bell\N{REPLACEMENT CHARACTER}")])
def test_output_is_shown_as_a_terminal_would_leave_it(text: str, shown: str) -> None:
    assert readable(text) == shown


@pytest.mark.parametrize(("text", "count"), [
    ("(null)", 0), ("gpu:2", 2), ("gpu:a100:2(S:0-1)", 2), ("gpu:a100:2(IDX:0,1),gpu:h100:1(IDX:2),shard:4", 3), ("gpu", 1)])
def test_gpus_are_counted_of_all_types(text: str, count: int) -> None:
    assert gpus(text) == count


@pytest.mark.parametrize(("place", "goes"), [
    ("/queue?q=1", "/queue?q=1"), ("//evil", "/"), ("https://evil", "/"), ("/\\evil", "/"), ("/a\nb", "/"), ("", "/")])
def test_only_places_of_the_page_itself_are_gone_on_to(place: str, goes: str) -> None:
    assert local(place) == goes


def test_texts_in_pictures_are_escaped() -> None:
    evil = "<script>\"'&"
    made = [
        charts.bars([charts.Bar(evil, evil, [("allocated", 1)])], 2, "CPUs", evil), charts.meter(1, 2, title=evil),
        charts.rows_in_time([charts.Span(evil, 0, 10, "good", evil, evil, f"/{evil}")], 0, 10, {0: evil}, evil),
        charts.graph([charts.Point("a", 0, evil, "good", f"/{evil}")], [("a", "a", evil)], evil)]
    for picture in made:
        assert "<script>" not in picture and "&lt;script&gt;" in picture


def test_a_timeline_says_how_long_a_job_was_kept_back_waited_and_ran() -> None:
    times = {"submitted": 1000.0, "eligible": 1060.0, "started": 1120.0, "ended": 4720.0}
    picture = str(timeline(times, "RUNNING", 1180.0))
    assert [words in picture for words in ("kept back 1:00", "waited 1:00", "ran 1:00", "to its limit 59:00")] == [True] * 4
    assert timeline({"submitted": 1000.0, "eligible": 0.0, "started": 0.0, "ended": 0.0}, "PENDING", 1000.0) == ""


@pytest.mark.parametrize(("state", "kind"), [
    ("RUNNING", "good"), ("idle*", "good"), ("mixed+planned", "busy"), ("CANCELLED by 0", "off"), ("FAILED", "bad"), ("down~", "bad"), ("drained", "off")])
def test_states_have_the_colour_of_their_kind(state: str, kind: str) -> None:
    assert rendering.kind(state) == kind


@pytest.mark.parametrize(("state", "shown"), [
    ("NODE_FAIL", "Node fail"), ("drained$", "drained, in maintenance"), ("idle*", "idle, not responding"), ("mixed", "mixed")])
def test_states_read_as_people_write_them(state: str, shown: str) -> None:
    assert rendering.words(state) == shown
