"""How -o and -O are read and rows laid out."""

import pytest

from slurm.render import fields, format


def _line(text: str, row: list[str], *, long: bool = False) -> str:
    layout = format.parse_long(text, fields.JOB) if long else format.parse_short(text, fields.JOB)
    return format.lines(layout, [row], header=False)[0]


def test_a_dot_justifies_right_and_a_width_cuts() -> None:
    assert _line("%.5i|%5i|%i", ["1234567", "12", "12"]) == "12345|12   |12"


def test_lengths_of_time_are_never_cut_but_their_header_is() -> None:
    layout = format.parse_short("%.9l", fields.JOB)
    assert format.lines(layout, [["3-00:00:00"]]) == ["TIME_LIMI", "3-00:00:00"]


def test_text_between_fields_is_kept_and_percent_signs_in_cells_are_harmless() -> None:
    assert _line("a %i: %j!", ["1_[2%3]", "100%s"]) == "a 1_[2%3]: 100%s!"


def test_quotes_in_a_format_are_echoed_as_text() -> None:
    assert _line('"%R"', ["cn01"]) == '"cn01"'


def test_an_unknown_letter_is_reported_and_left_out() -> None:
    layout = format.parse_short("%i %! %j", fields.JOB)
    assert layout.names == ["JobArrayId", "Name"]
    assert layout.unknown == ("!",)


def test_a_percent_sign_alone_gives_empty_lines() -> None:
    assert format.lines(format.parse_short("%", fields.JOB), [[], []]) == ["", "", ""]


def test_names_have_twenty_characters_unless_they_say_otherwise() -> None:
    assert _line("jobid,NAME:.6,state:3", ["1", "abc", "RUNNING"], long=True) == f"{'1':<20}   abcRUN"


def test_text_after_the_colon_that_is_no_number_is_a_suffix() -> None:
    assert _line("jobid:###,name:4#", ["1", "abc"], long=True) == "1###abc #"


def test_unknown_names_are_reported_and_left_out() -> None:
    layout = format.parse_long("jobid,bogus", fields.JOB)
    assert layout.names == ["JobId"]
    assert layout.unknown == ("bogus",)


def test_an_automatic_width_follows_the_longest_cell() -> None:
    layout = format.parse_short("%#N %.2D", fields.NODE)
    assert format.lines(layout, [["a-very-long-name", "1"], ["b", "2"]]) == [
        "NODELIST         NO", "a-very-long-name  1", "b                 2"]


def test_all_stands_for_every_letter() -> None:
    layout = format.parse_short("%all", fields.JOB, format.ALL_JOBS)
    assert len(layout.names) == len(set(layout.names)) == 52


@pytest.mark.parametrize(("text", "line"), [
    ("JobID:|,WorkDir:|", "7|/a/folder/of/more/than/twenty/letters|"), ("JobID,WorkDir", "7                   /a/folder/of/more/th"),
    ("WorkDir:###x###,JobID:3x", "/a/folder/of/more/than/twenty/letters###x###7  x"), ("JobID:.,WorkDir: ", "7/a/folder/of/more/than/twenty/letters "),
    ("JobID:0|,WorkDir:.9abc5", "7|/a/folderabc5"),
])
def test_a_colon_without_a_number_asks_for_the_whole_value_and_then_its_suffix(text: str, line: str) -> None:
    layout = format.parse_long(text, fields.JOB)
    row = ["7" if name == "JobId" else "/a/folder/of/more/than/twenty/letters" for name in layout.names]
    assert format.lines(layout, [row], header=False) == [line]


def test_generic_resources_have_their_old_name_too() -> None:
    assert format.parse_long("gres,JobID", fields.JOB).names == ["tres-per-node", "JobId"]
