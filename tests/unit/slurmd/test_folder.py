"""Step folders: names, journals, and journals that were cut short."""

from __future__ import annotations

import json
import os
import resource
import signal

import pytest

from slurm.slurmd.stepd import folder
from slurm.slurmd.stepd.folder import Ended, StepKey, StepRecord

RECORD = StepRecord(12, 1, -5, "cn01", 1000, 1000, "alice", ["/s"], {"A": "ä\udc80"}, "/work", {"nofile": 5},
                    cpus=[], ranks=[0], task_environment=[], multi_prog=[])


def made(path):
    return folder.create(str(path), json.dumps(RECORD._asdict()).encode())


@pytest.mark.parametrize(("key", "name"), [
    (StepKey(12, 1, -5), "job00012.1.batch"), (StepKey(1234567, 2, 0), "job1234567.2.0"), (StepKey(3, 1, -4), "job00003.1.extern")])
def test_folder_names_are_read_back(key, name):
    assert key.folder_name == name
    assert folder.parse_folder_name(name) == key


@pytest.mark.parametrize("name", ["", "job", "job1.1", "job1.x.batch", "jobx.1.batch", "lost+found", "job1.1.what", "job1.1.0.1", "job1.1.²"])
def test_other_names_are_no_step_folders(name):
    assert folder.parse_folder_name(name) is None


def test_a_journal_keeps_the_record_and_the_end(tmp_path):
    path = tmp_path / "s"
    journal = made(path)
    assert folder.read(str(path)) == (RECORD, None)
    folder.append_ended(journal, Ended(256, True, {"user_seconds": 1.5}, 99.0, "why"))
    assert folder.read(str(path)).ended == Ended(256, True, {"user_seconds": 1.5}, 99.0, "why") == folder.read_ended(str(path))


def test_a_step_is_begun_once(tmp_path):
    os.close(made(tmp_path / "s"))
    with pytest.raises(FileExistsError):
        made(tmp_path / "s")


def test_a_line_cut_short_by_a_crash_is_dropped_and_the_end_can_be_written_behind_it(tmp_path):
    path = tmp_path / "s"
    journal = made(path)
    os.write(journal, b'{"ended": {"sta')
    assert folder.read(str(path)).ended is None
    assert folder.read_ended(str(path)) is None
    os.close(journal)
    taken = folder.abandoned(str(path))
    folder.append_ended(taken, Ended(9))
    assert folder.read(str(path)).ended == Ended(9)


def test_a_full_disk_leaves_a_journal_as_it_was(tmp_path):
    path = tmp_path / "s"
    journal = made(path)
    before = (path / "journal").read_bytes()
    own = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, own[1]))
    try:
        with pytest.raises(OSError, match="File too large|No space"):
            folder.append_ended(journal, Ended(9))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, own)
        signal.signal(signal.SIGXFSZ, ignored)
    assert (path / "journal").read_bytes() == before
    folder.append_ended(journal, Ended(9))
    assert folder.read_ended(str(path)) == Ended(9)


def test_a_first_line_cut_short_means_that_nothing_has_run(tmp_path):
    path = tmp_path / "s"
    path.mkdir()
    (path / "journal").write_bytes(b'{"job": 12, "att')
    assert folder.read(str(path)) is None
    assert folder.read(str(tmp_path / "none")) is None


def test_a_journal_belongs_to_whoever_holds_it_open(tmp_path):
    path = tmp_path / "s"
    journal = made(path)
    inherited = os.dup(journal)
    os.close(journal)
    assert folder.abandoned(str(path)) == -1
    os.close(inherited)
    assert folder.abandoned(str(path)) >= 0


def test_a_record_with_fields_of_a_newer_version_can_be_read(tmp_path):
    path = tmp_path / "s"
    os.close(folder.create(str(path), json.dumps({**RECORD._asdict(), "invented_later": 1}).encode()))
    assert folder.read(str(path)).record == RECORD


def test_removing_is_complete_and_may_be_repeated(tmp_path):
    path = tmp_path / "s"
    os.close(made(path))
    (path / "slurm_script").write_text("x")
    folder.remove(str(path))
    folder.remove(str(path))
    assert not path.exists()
