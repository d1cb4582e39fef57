"""A plan as lines and as a drawing."""

from __future__ import annotations

from xml.etree import ElementTree

from slurm.model.schedule import Bar, Schedule, Waiting
from slurm.render import gantt_svg, gantt_text

AT = 1_000_000.0


def bar(job: str, start: float, end: float, nodes: str = "cn01", **fields: object) -> Bar:
    values: dict[str, object] = {"name": "train", "user": "ada", "partition": "debug", "cpus": 4} | fields
    return Bar(job=job, start=AT + start, end=AT + end, nodes=nodes, **values)  # type: ignore[arg-type]


def drawn(found: Schedule, **options: object) -> list[str]:
    return gantt_text.lines(found, marks=gantt_text.ASCII, **options)  # type: ignore[arg-type]


def test_each_job_is_a_row_that_begins_and_ends_where_it_does() -> None:
    found = Schedule(cluster="lab", at=AT, nodes="cn[01-02]", bars=[
        bar("1", -600, 1800), bar("2", 1800, 3600, planned=True), bar("3", 0, 9e9, "cn02", endless=True)])
    rows = [line[line.index("cn0"):].split(maxsplit=2)[-1] for line in drawn(found, width=100)[2:]]
    width = len(rows[2].removeprefix("runs").strip())
    first, second = rows[0].count("#"), rows[1].count("-", rows[1].index(" -"))
    assert width == rows[2].count("#") + 1 and rows[2].endswith(">"), "one without a limit goes on behind the chart"
    assert abs(first - width / 2) <= 1 and abs(second - width / 2) <= 1 and rows[1].rstrip().endswith("-")


def test_what_is_beyond_the_chart_is_marked_at_its_end_and_times_stand_above_it() -> None:
    found = Schedule(cluster="lab", at=AT, bars=[bar("1", 0, 7200), bar("2", 86400, 90000, planned=True)])
    head, scale, one, two = drawn(found, until=AT + 3600, width=120)
    assert "until 1970-01-12T14:46:40" in head and "14:00" in scale and "14:30" in scale
    assert one.endswith("#>") and two.endswith(" >") and len(one) == len(two)


def test_jobs_without_a_start_are_told_with_their_reason_and_long_plans_are_cut() -> None:
    waiting = [Waiting(job=str(number), name="x", user="ada", partition="debug", reason="Priority") for number in range(5)]
    found = Schedule(cluster="lab", at=AT, bars=[bar(str(number), 0, 60) for number in range(10)], waiting=waiting, left_out=7)
    told = drawn(found, most=3)
    assert "… and 7 more" in told and "  0 (x, ada) in debug: Priority" in told and told[-1] == "  … and 9 more"
    assert drawn(Schedule(cluster="lab", at=AT)) == ["Nothing runs or waits on cluster lab."]


def test_the_drawing_has_a_row_a_node_and_jobs_on_one_node_at_one_time_beside_each_other() -> None:
    found = Schedule(cluster="<lab>", at=AT, nodes="cn[01-02]", bars=[
        bar("1", 0, 1800, name="a & b"), bar("2", 0, 3600), bar("3", 1800, 3600, "cn[01-02]", planned=True)])
    tree = ElementTree.fromstring(gantt_svg.drawing(found))
    space = "{http://www.w3.org/2000/svg}"
    jobs = {group.findtext(f"{space}title", "").split()[1]: [rect.attrib for rect in group.iter(f"{space}rect")] for group in tree.iter(f"{space}g")}
    assert [len(jobs[job]) for job in "123"] == [1, 1, 2] and "a & b" in tree.findall(f".//{space}title")[0].text  # type: ignore[operator]
    assert jobs["1"][0]["y"] == jobs["3"][0]["y"] != jobs["2"][0]["y"], "the part of who left is free for who comes"
    assert float(jobs["3"][1]["height"]) == 2 * float(jobs["3"][0]["height"]), "alone on its node, it has the whole row"


def test_nodes_that_the_plan_does_not_use_are_left_out_of_the_drawing_of_a_large_cluster() -> None:
    found = Schedule(cluster="lab", at=AT, nodes="cn[0001-5000]", bars=[bar("1", 0, 60, "cn[0100-0101]")])
    assert gantt_svg.drawing(found).count("cn0") == 2, "a row for each of its nodes"
