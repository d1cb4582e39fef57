"""Text that a user chose drives nobody's terminal and forges nobody's table or log: one function sees to it, everywhere."""

import io
import json
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm.commands.embedded.console import Console
from slurm.commands.launching.voice import Voice
from slurm.commands.shell import Shell
from slurm.daemon import logs
from slurm.model.errors import InvalidRequest
from slurm.model.explanation import Explanation
from slurm.notation.printable import printable, printable_lines
from slurm.render import explanation, fields, format

EVIL = "a\x1b]0;owned\x07\x1b[2J\nb\r\x9b31mc\x7f\u202ed\0"
SAFE = r"a\x1b]0;owned\x07\x1b[2J\nb\r\x9b31mc\x7f\u202ed\x00"


def harmless(text: str, lines: int) -> bool:
    return all(letter.isprintable() or letter == "\n" for letter in text) and text.count("\n") == lines


def test_control_characters_become_escapes_and_letters_stay() -> None:
    assert printable(EVIL) == SAFE
    assert printable("Zürich 東京 naïve") == "Zürich 東京 naïve"
    assert printable_lines("one\n\ttwo\x1b") == "one\n\ttwo\\x1b"


@given(st.text())
def test_whatever_it_is_nothing_of_it_moves_a_cursor(text: str) -> None:
    assert printable(text).isprintable()
    assert printable(printable(text)) == printable(text)
    assert all(line.replace("\t", "").isprintable() for line in printable_lines(text).split("\n"))


def test_a_row_of_squeue_stays_one_row() -> None:
    layout = format.parse_short("%i %j %Z", fields.JOB)
    shown = format.lines(layout, [["1", EVIL, "/tmp"], ["2", "b", "/tmp"]])
    assert shown[1] == f"1 {SAFE} /tmp" and len(shown) == 3


def test_commands_say_errors_that_quote_what_was_sent_without_being_driven_by_it() -> None:
    err, out = io.StringIO(), io.StringIO()
    shell = Shell("squeue", [], {}, io.BytesIO(), out, err)
    shell.report(InvalidRequest(message=f"no partition {EVIL}", hints=[f"did you mean {EVIL}?"], preface=[EVIL]))
    shell.out(f"job {EVIL}")
    assert "\x1b" not in err.getvalue() + out.getvalue() and r"\x1b]0;owned" in err.getvalue()
    said: list[bytes] = []
    Voice("srun", write=said.append).error(EVIL)
    assert b"\x1b" not in said[0]
    console = Console(out, err)
    console.line(EVIL)
    console.note(EVIL)
    console.error([EVIL, EVIL])
    console.table(["NAME"], [[EVIL]], title=EVIL)
    console.sheet({"Name": EVIL}, title=EVIL)
    assert "\x1b" not in out.getvalue() + err.getvalue() and "\0" not in out.getvalue() + err.getvalue()


def test_programs_read_it_as_it_is() -> None:
    out = io.StringIO()
    Console(out, json=True).answer({"name": EVIL})
    assert json.loads(out.getvalue()) == {"name": EVIL}


def test_an_explanation_is_safe_line_by_line() -> None:
    found = Explanation(job="1", name=EVIL, user="u", state="PENDING", reason="Resources", sentence=EVIL, partition="p", at=0.0)
    assert all(line.isprintable() for line in explanation.lines(found))


def test_a_line_of_a_daemons_log_is_one_line_whoever_is_quoted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log"
    root = logging.getLogger()
    kept, level = list(root.handlers), root.level
    try:
        logs.start("slurmctld", logs.Verbosity(logging.INFO), str(path))
        logging.getLogger("t").error("job %s is bad", EVIL + "\n[2026-01-01T00:00:00.000] fatal: forged")
        try:
            raise ValueError(EVIL)
        except ValueError:
            logging.getLogger("t").exception("it failed")
    finally:
        for handler in list(root.handlers):
            root.removeHandler(handler)
            handler.close()
        for handler in kept:
            root.addHandler(handler)
        root.setLevel(level)
    text = path.read_text()
    assert harmless(text, text.count("\n"))
    assert len([line for line in text.splitlines() if line.startswith("[")]) == 2
    assert not [line for line in text.splitlines() if line.startswith("[2026-01-01T00:00:00.000]")]


def test_nonsense_about_one_is_cut_short_and_hides_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    seldom = logs.Seldom(logging.getLogger("seldom"), most=3, clock=lambda: now[0])
    for _ in range(100):
        seldom.warning("uid 1", "nonsense")
    seldom.warning("uid 2", "other nonsense")
    now[0] = 1.5
    seldom.warning("uid 2", "again")
    assert caplog.messages == ["uid 1: nonsense"] * 3 + ["uid 2: other nonsense", "uid 1: 97 further lines were left out", "uid 2: again"]
