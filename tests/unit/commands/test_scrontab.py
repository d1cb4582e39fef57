"""scrontab: what its lines become, what is wrong with them, and the words it says."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from slurm.commands.scrontab import main
from slurm.model.errors import NotNow
from slurm.wire import crontab_messages as k
from tests.unit.commands.world import Answer, Call, call

WRITTEN: Answer = {"type": "CrontabWritten", "jobs": [1], "warnings": []}
TEXT = """\
# backups
DIR='/srv/some data'
#SCRON -p debug --time=5:00
#SCRON -A science   # the account
0-30/10 2 * * mon-fri $DIR/backup.sh "$HOME" $DIRECT ${DIR}

@hourly date
"""


def scrontab(*argv: str, answers: list[Answer] | None = None, stdin: bytes = b"", **environ: str) -> Call:
    return call(main, "scrontab", argv, answers=[WRITTEN] if answers is None else answers, stdin=stdin, environ=environ)


def written(done: Call) -> k.WriteCrontab:
    assert done.status == 0, done.stderr
    return msgspec.convert(done.sent[-1], k.WriteCrontab)


def test_entries_become_jobs_with_their_options_and_their_lines() -> None:
    sent = written(scrontab("-", stdin=TEXT.encode()))
    one, other = sent.jobs
    assert sent.text == TEXT
    assert (one.spec, one.first_line, one.last_line) == ("0-30/10 2 * * mon-fri", 3, 5)
    assert (one.request.partition, one.request.time_limit, one.request.account) == ("debug", 300, "science")
    assert one.payload.script.splitlines()[-1] == '/srv/some data/backup.sh "$HOME" $DIRECT ${DIR}'
    assert (other.spec, other.first_line, other.request.partition) == ("@hourly", 7, "")
    assert "PATH" in one.payload.environment and one.payload.environment["HOME"] == one.request.work_dir.rstrip("/")


def test_a_file_is_read_and_an_empty_one_removes_the_crontab(tmp_path: Path) -> None:
    file = tmp_path / "cron"
    file.write_text("@daily x")
    assert written(scrontab(str(file))).text == "@daily x\n"
    file.write_text(" \n")
    assert written(scrontab(str(file))) == written(scrontab("-r")) == k.WriteCrontab()
    assert scrontab(str(tmp_path / "none")).complaints == (f"scrontab: error: Unable to open file {tmp_path / 'none'}: No such file or directory",)


@pytest.mark.parametrize(("text", "words"), [
    ("* * * * x", 'line 1: day of week x: "x" is not a number'), ("#SCRON --bogus\n@daily x", "line 2: unrecognized option '--bogus'"),
    ("\n@daily", "line 2: there is no command"), ("#SCRON -t 5", "line 1: there is no entry behind these options"),
    ("#SCRON -a 1-3\n@daily x", "--array is not for entries of a crontab"), ("#SCRON --begin=noon\n@daily x", "--begin is not for entries"),
    ("#SCRON -n 'x\n@daily x", "Unmatched `'`"), ("#SCRON -t never\n@daily x", "line 2: Invalid --time specification"),
])
def test_what_is_wrong_is_told_by_its_line_and_nothing_is_sent(text: str, words: str) -> None:
    done = scrontab("-", stdin=text.encode(), answers=[])
    assert done.status == 1 and not done.sent
    assert words in done.stderr
    assert done.complaints[-1] == "scrontab: error: There are errors in your crontab: it was not installed"


def test_it_is_listed_as_it_stands_and_one_that_is_not_there_is_an_error() -> None:
    done = scrontab("-l", answers=[{"type": "CrontabRead", "user": "alice", "text": "@daily x\n", "found": True}])
    assert (done.status, done.stdout) == (0, "@daily x\n")
    done = scrontab("-l", "-u", "bob", answers=[{"type": "CrontabRead", "user": "bob", "text": "", "found": False}])
    assert (done.status, done.stderr) == (1, "no crontab for bob\n")
    assert done.sent[0]["user"] == "bob"


def test_where_it_is_switched_off_it_says_so_as_Slurm_does() -> None:
    done = scrontab("-l", answers=[NotNow("ESLURM_DISABLED", "scrontab is disabled on this cluster")])
    assert (done.status, done.complaints) == (1, ("scrontab: fatal: scrontab is disabled on this cluster",))


def test_an_editor_changes_it_and_may_try_again(tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text(f'#!/bin/sh\nif [ -e {tmp_path}/once ]; then echo "@daily right" >"$1"; else echo "@daily" >>"$1"; touch {tmp_path}/once; fi\n')
    editor.chmod(0o755)
    found: Answer = {"type": "CrontabRead", "user": "alice", "text": "# old\n", "found": True}
    done = scrontab("-e", answers=[found, WRITTEN], stdin=b"y\n", EDITOR=str(editor), VISUAL="")
    assert written(done).text == "@daily right\n"
    assert "Do you want to retry the edit? (y/n) " in done.stdout
    done = scrontab("-e", answers=[found], EDITOR="true")
    assert (done.status, done.stderr) == (0, "scrontab: no changes made to the crontab\n")
    assert scrontab("-e", answers=[found], EDITOR="false").status == 1


def test_only_one_thing_at_a_time() -> None:
    assert scrontab("-l", "-r", answers=[]).status == 1
    assert scrontab("-l", "file", answers=[]).status == 1
