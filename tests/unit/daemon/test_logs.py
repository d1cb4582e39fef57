"""Log levels by Slurm's names and numbers, and the lines."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm.daemon import logs
from slurm.model import debug_flags


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in [handler for handler in root.handlers if handler not in handlers]:
        root.removeHandler(handler)
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(("text", "more", "level"), [
    ("info", 0, logging.INFO), ("3", 0, logging.INFO), ("verbose", 0, logs.VERBOSE), ("info", 1, logs.VERBOSE), ("info", 2, logging.DEBUG),
    ("debug5", 3, logs.LEVELS["debug5"]), ("ERROR", 0, logging.ERROR), ("nonsense", 0, logging.INFO), ("99", 0, logs.LEVELS["debug5"])])
def test_levels_have_slurms_names_and_numbers(text: str, more: int, level: int) -> None:
    assert logs.level_of(text, more) == level


def test_a_line_in_a_file_has_a_stamp_and_its_kind(tmp_path: Path) -> None:
    path = tmp_path / "log" / "d.log"
    logs.start("slurmctld", logs.Verbosity(logs.VERBOSE), str(path))
    log = logging.getLogger("slurmctld.x")
    log.info("hello %s", "world")
    log.error("bad")
    log.critical("worse")
    log.log(logs.VERBOSE, "talk")
    log.debug("too much")
    stamp = r"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\]"
    lines = path.read_text().splitlines()
    for line, text in zip(lines, ["hello world", "error: bad", "fatal: worse", "verbose: talk"], strict=True):
        assert re.fullmatch(f"{stamp} {text}", line)


def test_a_rotated_file_is_left_alone_after_a_new_start(tmp_path: Path) -> None:
    path = tmp_path / "d.log"
    logs.start("slurmd", logs.Verbosity(logging.INFO), str(path))
    logging.getLogger("slurmd").info("one")
    path.rename(tmp_path / "d.log.1")
    logs.start("slurmd", logs.Verbosity(logging.INFO), str(path))
    logging.getLogger("slurmd").info("two")
    assert path.read_text().endswith("two\n") and (tmp_path / "d.log.1").read_text().endswith("one\n")


def test_on_a_terminal_a_line_names_its_program(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start("slurmctld", logs.Verbosity(logging.INFO))
    logging.getLogger("slurmctld").warning("careful")
    assert capsys.readouterr().err == "slurmctld: warning: careful\n"


def test_debug_flags_have_their_loggers_tell_everything_and_no_others() -> None:
    backfill, steps = logging.getLogger("slurmctld.planner"), logging.getLogger("slurmd.steps")
    logs.Verbosity(logging.INFO, debug_flags.known(["backfill", "nonsense", "GANG"])).apply()
    try:
        assert (backfill.isEnabledFor(logging.DEBUG), steps.isEnabledFor(logging.DEBUG)) == (True, False)
    finally:
        logs.Verbosity(logging.INFO).apply()
    assert not backfill.isEnabledFor(logging.DEBUG)


def test_flags_are_added_and_taken_away_however_they_are_written() -> None:
    assert debug_flags.changed(["Steps"], ["+backfill", "-STEPS", "agent"]) == ["Agent", "Backfill"]
    with pytest.raises(debug_flags.UnknownFlag, match="foo"):
        debug_flags.changed([], ["+foo"])


@pytest.mark.parametrize(("text", "level"), [("verbose", logs.VERBOSE), ("4", logs.VERBOSE), ("ERROR", logging.ERROR), ("12", None), ("10", None),
    ("foo", None), ("9" * 99, None)])
def test_a_level_is_one_of_ten_names_or_numbers(text: str, level: int | None) -> None:
    assert logs.level_named(text) == level
    if level is not None and text.isalpha():
        assert logs.shown_level(level) == text.lower()
