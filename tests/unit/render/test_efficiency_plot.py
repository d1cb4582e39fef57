"""The picture of `slurm report`: valid, true to the numbers, and safe whatever users are called."""

import xml.etree.ElementTree as ET

from slurm.render import efficiency_plot
from slurm.render.efficiency import Share
from slurm.render.efficiency_report import Line

SVG = "{http://www.w3.org/2000/svg}"


def _line(key: str, cpu: float | None, memory: float | None = None, gpu: float | None = None) -> Line:
    return Line(key, 2, 1, *(Share(one, 100.0) for one in (cpu, memory, gpu)), 0)


def _colored(root: ET.Element, name: str) -> list[float]:
    color = efficiency_plot._COLORS[name]
    return [float(rect.get("width", "")) for rect in root.iter(f"{SVG}rect") if rect.get("fill") == color and rect.get("height") == "11"]


def test_bars_are_as_long_as_the_parts_that_were_used_and_what_was_not_measured_has_none() -> None:
    root = ET.fromstring(efficiency_plot.svg([_line("alice", 50.0, 25.0), _line("bob", None), _line("carol", 300.0, None, 10.0)], "by user"))
    assert _colored(root, "CPU") == [240.0, 480.0] and _colored(root, "memory") == [120.0] and _colored(root, "GPU") == [48.0]
    texts = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    assert "50.0 % CPU" in texts and "300.0 % CPU" in texts and "not measured" in texts


def test_a_page_holds_the_picture_and_the_table_and_no_name_becomes_markup() -> None:
    page = efficiency_plot.html([_line("<script>\x07&", 50.0)], "user", "What <jobs> used")
    assert "<script" not in page and "\x07" not in page
    root = ET.fromstring(page.removeprefix("<!DOCTYPE html>\n").replace('<meta charset="utf-8">', ""))
    cells = [cell.text for cell in root.iter("td")]
    assert cells[0] == "<script>\N{REPLACEMENT CHARACTER}&" and cells[4] == "50.0%"
    assert len(list(root.iter(f"{SVG}svg"))) == 1


def test_of_very_many_lines_the_first_are_drawn_and_the_others_counted() -> None:
    root = ET.fromstring(efficiency_plot.svg([_line(str(n), 1.0) for n in range(efficiency_plot.MOST_LINES + 7)], "jobs"))
    assert "and 7 more" in ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
