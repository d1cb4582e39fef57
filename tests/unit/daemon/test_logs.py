"""Log levels by Slurm's names and numbers, and the lines."""

import json
import logging
import re
import socket
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


@pytest.mark.parametrize(("form", "stamp"), [
    ("iso8601_ms", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}"), ("iso8601", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"),
    ("rfc5424_ms", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"), ("rfc5424", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d"),
    ("short", r"[A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d"), ("clock", r"\d+"), ("thread_id", r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d [\d:]{8}\.\d{6} \d+ MainThread \d+")])
def test_stamps_are_as_log_time_format_has_them(form: str, stamp: str, tmp_path: Path) -> None:
    path = tmp_path / "d.log"
    logs.start("slurmctld", logs.Verbosity(logging.INFO, form=form), str(path))
    logging.getLogger("slurmctld.x").error("bad")
    assert re.fullmatch(rf"\[{stamp}\] error: bad\n", path.read_text()), path.read_text()


def test_with_json_every_line_is_an_object_whatever_was_said(tmp_path: Path) -> None:
    path = tmp_path / "d.log"
    logs.start("slurmctld", logs.Verbosity(logging.INFO, form="iso8601_ms,json"), str(path))
    log = logging.getLogger("slurmctld.x")
    log.info('job "a\nb" ends')
    try:
        raise ValueError("odd")
    except ValueError:
        log.exception("failed")
    log.critical("over")
    first, second, third = map(json.loads, path.read_text().splitlines())
    assert (first["level"], first["daemon"], first["part"], first["message"]) == ("info", "slurmctld", "slurmctld.x", 'job "a\nb" ends')
    assert second["level"] == "error" and second["traceback"].endswith("ValueError: odd") and third["level"] == "fatal"


def test_syslog_has_a_level_of_its_own_and_the_file_keeps_its(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as system:
        system.bind(str(tmp_path / "log"))
        system.settimeout(5)
        monkeypatch.setattr(logs, "SYSLOG", str(tmp_path / "log"))
        path = tmp_path / "d.log"
        verbosity = logs.Verbosity(logging.ERROR, ("Backfill",), syslog=logging.INFO)
        logs.start("slurmctld", verbosity, str(path))
        logging.getLogger("slurmctld.x").info("hello")
        logging.getLogger(debug_flags.LOGGERS["Backfill"][0]).debug("looking")
        logging.getLogger("slurmctld.x").error("bad")
        said = [system.recv(1000).decode().rstrip("\0") for _ in range(2)]
        assert [re.sub(r"\d+", "N", line) for line in said] == ["<N>slurmctld[N]: hello", "<N>slurmctld[N]: error: bad"]
        assert [line.partition("] ")[2] for line in path.read_text().splitlines()] == ["debug: looking", "error: bad"]
        verbosity._replace(level=logging.INFO, flags=()).apply()
        logging.getLogger("slurmctld.x").info("more")
        assert path.read_text().endswith("more\n")
        logs.start("slurmctld", logs.Verbosity(logging.INFO), str(path))


@pytest.mark.parametrize(("text", "foreground", "log_file", "level"), [
    ("", False, True, logging.CRITICAL), ("", False, False, logging.INFO), ("", True, True, None), ("quiet", False, False, None),
    ("debug", True, True, logging.DEBUG)])
def test_what_goes_to_syslog_is_as_slurm_conf_says(text: str, foreground: bool, log_file: bool, level: int | None) -> None:
    assert logs.syslog_level(text, logging.INFO, foreground=foreground, log_file=log_file) == level
