"""Manual pages and completions say what the tables say, all of it, and offer nothing that would be refused."""

import pytest

from slurm.config import schema
from slurm.manual import __main__ as manual
from slurm.manual import flags, pages, prose
from slurm.manual.completion import tables as shell_tables
from slurm.manual.completion import words
from slurm.manual.meanings import MEANINGS
from slurm.manual.roff import Code, Item, Page, Paragraph, Section, rendered
from slurm.model.errors import SlurmError
from slurm.options import tables
from slurm.options.resolve import resolve

OF_THE_MACHINE = {words.FILES, words.FOLDERS, words.COMMANDS, words.GROUPS}


def test_pages_and_completions_in_the_repository_are_what_the_tables_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert manual.main(["--check"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("name", MEANINGS)
def test_every_key_that_is_carried_out_has_its_sentence(name: str) -> None:
    rows = {row.name for row in schema.section(name) if row.standing == schema.EFFECTIVE}
    assert rows == set(MEANINGS[name])
    assert not [key for key, meaning in MEANINGS[name].items() if not meaning.endswith(".")]


def test_there_is_a_page_for_every_command_daemon_file_and_subcommand() -> None:
    there = set(pages.pages())
    wanted = {f"man1/{name}.1" for name in tables.COMMANDS} | {f"man8/{name}.8" for name in flags.DAEMONS} | {f"man5/{name}.5" for name in prose.FILES}
    assert wanted | {f"man1/slurm-{row.name}.1" for row in flags.of_slurm()} | {"man1/slurm.1"} == there


@pytest.mark.parametrize("command", tables.COMMANDS)
def test_a_page_names_every_option_with_what_it_does(command: str) -> None:
    text = (manual.PACKAGING / "man" / "man1" / f"{command}.1").read_text(encoding="utf-8")
    missing = [row.name for row in tables.rows(command) if f"--{row.name}".replace("-", "\\-") not in text]
    assert not missing


def test_every_example_line_of_a_page_has_options_that_there_are() -> None:
    for command, text in prose.COMMANDS.items():
        known = {name for row in tables.rows(command) for name in (f"-{row.short}", f"--{row.name}")}
        for _, lines in text.examples:
            for line in lines.splitlines():
                name, *rest = line.split(" & ")[0].split(" && ")[0].split()
                given = [word.partition("=")[0] for word in rest if word.startswith("-")] if name == command else []
                assert {word for word in given if not set(word[1:]) <= set("nNctdijhosMaSXlrAup0123456789")} <= known, line


def test_troff_takes_no_text_for_a_request() -> None:
    page = Page("x", 1, "does it", (), (Section("DESCRIPTION", (Paragraph(".TH is no request. 'tis neither"), Item("`-a`\\n", "back\\slash"), Code(".so /etc/passwd"))),))
    lines = rendered(page, date="2026-11-30", source="x").splitlines()
    assert "\\&.TH is no request. 'tis neither" in lines
    assert "\\&.so /etc/passwd" in lines
    assert "\\fB\\-a\\fR\\en" in lines
    assert "back\\eslash" in lines


def test_a_sign_that_troff_does_not_know_is_told() -> None:
    with pytest.raises(ValueError, match="no sign of troff"):
        rendered(Page("x", 1, "☃", (), ()), date="2026-11-30", source="x")


@pytest.mark.parametrize("command", ["sbatch", "srun", "salloc"])
def test_every_word_that_is_offered_for_an_option_is_taken(command: str) -> None:
    refused = []
    for flag in flags.of_command(command):
        takes = () if flag.missing else words.of_option(command, flag)
        for word in () if isinstance(takes, str) else takes:
            if not word.endswith((":", "=")):
                try:
                    resolve(command, [f"{flag.names[-1]}={word}", "x"], {}, now=0.0)
                except SlurmError as error:
                    refused.append(f"{flag.names[-1]}={word}: {error}")
    assert not refused


def test_every_kind_that_a_place_takes_can_be_asked_for() -> None:
    kinds = {words.of_option(name, flag) for name, there in words.commands().items() for flag in there} | {place.takes for place in words.places()} | set(words.VALUES.values())
    asked = {kind for kind in kinds if isinstance(kind, str)} - OF_THE_MACHINE
    assert asked <= set(words.ASKED)
    assert not [kind for kind in asked if f"        {kind})" not in shell_tables.ASK]


def test_every_place_behind_scontrol_is_a_keyword_that_there_is() -> None:
    from slurm.commands import sacctmgr, scontrol

    for place in words.places():
        if place.before and place.command in ("scontrol", "sacctmgr"):
            assert place.before[0] in (scontrol if place.command == "scontrol" else sacctmgr).KEYWORDS
