"""Log levels by Slurm's names and numbers, and the lines."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm.daemon import logs


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
    logs.start("slurmctld", logs.VERBOSE, str(path))
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
    logs.start("slurmd", logging.INFO, str(path))
    logging.getLogger("slurmd").info("one")
    path.rename(tmp_path / "d.log.1")
    logs.start("slurmd", logging.INFO, str(path))
    logging.getLogger("slurmd").info("two")
    assert path.read_text().endswith("two\n") and (tmp_path / "d.log.1").read_text().endswith("one\n")


def test_on_a_terminal_a_line_names_its_program(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start("slurmctld", logging.INFO)
    logging.getLogger("slurmctld").warning("careful")
    assert capsys.readouterr().err == "slurmctld: warning: careful\n"
