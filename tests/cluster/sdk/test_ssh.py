"""The ssh backend against a server in this process: files, quoting, cut connections, and a submission that happens once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from slurm.sdk.backends.ssh import SshBackend
from slurm.sdk.backends.ssh_connection import Answer
from slurm.sdk.cluster import Cluster
from slurm.sdk.decorators import task
from slurm.sdk.errors import BackendCommandError, BackendError, BackendTimeout, InvalidOption, LoginRefused, SubmissionError
from slurm.sdk.published.ssh import SSHCommandBackend
from tests.cluster.sdk.far_side import PASSWORD, FarSide

SBATCH = 'echo "$PWD|$*|$GREETING" >> "$HOME/calls"; echo $(wc -l < "$HOME/calls")'


@pytest.fixture
def far(tmp_path: Path) -> Iterator[FarSide]:
    """A login node whose sbatch counts its calls."""
    side = FarSide(tmp_path / "far")
    side.script("sbatch", SBATCH)
    yield side
    side.stop()


def login(far: FarSide, **changes: object) -> dict[str, Any]:
    """The arguments with which it is reached."""
    return {"hostname": "127.0.0.1", "port": far.port, "username": "ada", "password": PASSWORD, "known_hosts": far.known_hosts, "look_for_keys": False,
            "allow_agent": False, "retry_delay": 0.05, **changes}


@pytest.fixture
def backend(far: FarSide) -> Iterator[SshBackend]:
    """A backend that reaches it."""
    found = SshBackend(env={"GREETING": "it's \"me\" $HOME"}, **login(far))
    yield found
    found.close()


def calls(far: FarSide) -> list[str]:
    return (far.home / "calls").read_text().splitlines()


def test_a_script_is_submitted_from_home_with_every_word_and_variable_as_given(far: FarSide, backend: SshBackend) -> None:
    path = f"{far.home}/it's a job/s.sh"
    backend.write(path, b"#!/bin/sh\n", 0o700)
    assert backend.submit("", path, {}, array=range(10), limit=2) == "1"
    assert calls(far) == [f"{far.home}|--parsable --array=0-9%2 {path}|it's \"me\" $HOME"]


def test_files_come_whole_with_their_mode_and_leave_nothing_beside_them(far: FarSide, backend: SshBackend) -> None:
    data = bytes(range(256)) * 40_000
    path = far.home / "deep" / "er" / "x.pkl"
    backend.write(str(path), data, 0o700)
    assert path.read_bytes() == data
    assert path.stat().st_mode & 0o777 == 0o700
    assert [one.name for one in path.parent.iterdir()] == ["x.pkl"]
    with backend.read(str(path)) as file:
        assert file.read() == data


def test_a_file_that_is_missing_and_one_that_may_not_be_written_are_told_apart(far: FarSide, backend: SshBackend) -> None:
    with pytest.raises(FileNotFoundError, match="remote side"):
        backend.read(f"{far.home}/nothing")
    (far.home / "plain").write_text("")
    with pytest.raises(OSError, match="remote side"):
        backend.write(f"{far.home}/plain/x", b"")


def test_many_files_are_fetched_together_and_the_missing_ones_stay_missing(far: FarSide, backend: SshBackend) -> None:
    paths = [f"{far.home}/r{number}" for number in range(30)]
    for number, path in enumerate(paths[:-1]):
        Path(path).write_bytes(bytes([number]))
    backend.prefetch(paths)
    for path in paths[:-1]:
        Path(path).unlink()
    assert [backend.read(path).read()[0] for path in paths[:-1]] == list(range(29))
    with pytest.raises(FileNotFoundError):
        backend.read(paths[-1])


def test_folders_are_those_of_the_other_side(far: FarSide, backend: SshBackend) -> None:
    assert backend.base("~/jobs") == f"{far.home}/jobs"
    assert backend.base("$HOME/jobs/") == f"{far.home}/jobs"
    assert backend.base("${GREETING:+/scratch}/jobs") == "/scratch/jobs"
    assert backend.base("jobs") == f"{far.home}/jobs"
    with pytest.raises(InvalidOption, match="job_base_dir"):
        backend.base("$(rm -rf x)/jobs")


def test_one_connection_serves_everything_until_it_is_closed_and_then_another_does(far: FarSide, backend: SshBackend) -> None:
    backend.base("~/jobs")
    for number in range(5):
        backend.write(f"{far.home}/{number}", b"")
    assert far.logins == 1
    backend.close()
    backend.write(f"{far.home}/again", b"")
    assert far.logins == 2


def test_a_cut_connection_is_opened_again_without_anybody_noticing(far: FarSide, backend: SshBackend) -> None:
    backend.write(f"{far.home}/x", b"1")
    far.cut()
    assert backend.read(f"{far.home}/x").read() == b"1"
    assert far.logins == 2


def test_of_large_files_only_some_are_fetched_ahead(far: FarSide, backend: SshBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slurm.sdk.backends.ssh_connection.TOGETHER", 1000)
    paths = [f"{far.home}/{number}" for number in range(30)]
    for number, path in enumerate(paths):
        backend.write(path, bytes([number]) * 500)
    fetched = backend.connection.read_many(paths)
    assert 2 <= len(fetched) < 30
    backend.prefetch(paths)
    for number, path in enumerate(paths):
        with backend.read(path) as file:
            assert file.read() == bytes([number]) * 500


def test_only_what_was_added_to_a_file_is_fetched_over_a_cut_too(far: FarSide, backend: SshBackend) -> None:
    path, other = f"{far.home}/log", f"{far.home}/none"
    backend.write(path, b"one\n")
    assert backend.grown({path: 0, other: 0}) == {path: (4, b"one\n")}
    with open(path, "ab") as file:
        file.write(b"two\n")
    far.cut()
    assert backend.grown({path: 4}) == {path: (8, b"two\n")}
    assert backend.grown({path: 8}) == {}
    assert backend.grown({path: -3}) == {path: (8, b"wo\n")}
    assert backend.grown({path: 100}) == {path: (8, b"one\ntwo\n")}


def test_a_submission_that_is_cut_off_happens_once_and_its_id_is_found_again(far: FarSide, backend: SshBackend) -> None:
    far.script("sbatch", f'touch "$HOME/begun"; sleep 0.5; {SBATCH}')
    path = f"{far.home}/jobs/s.sh"
    backend.write(path, b"")

    def cut() -> None:
        deadline = time.monotonic() + 10
        while not (far.home / "begun").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        far.cut()

    cutter = threading.Thread(target=cut)
    cutter.start()
    assert backend.submit("", path, {}) == "1"
    cutter.join()
    assert far.logins == 2
    assert len(calls(far)) == 1


def test_a_submission_that_cannot_be_asked_about_any_more_is_not_called_refused(far: FarSide) -> None:
    far.script("sbatch", f'touch "$HOME/begun"; sleep 0.3; {SBATCH}')
    backend = SshBackend(**login(far, connection_attempts=2))
    backend.write(f"{far.home}/s.sh", b"")

    def end() -> None:
        deadline = time.monotonic() + 10
        while not (far.home / "begun").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        far.stop_listening()

    ender = threading.Thread(target=end)
    ender.start()
    with pytest.raises(SubmissionError, match=r"is unknown.*s\.sh\.\*\.sbatch/out"):
        backend.submit("", f"{far.home}/s.sh", {})
    ender.join()


def test_what_sbatch_says_is_what_the_error_says(far: FarSide, backend: SshBackend) -> None:
    far.script("sbatch", 'echo "sbatch: error: invalid partition specified: x" >&2; exit 1')
    backend.write(f"{far.home}/s.sh", b"")
    with pytest.raises(SubmissionError, match="invalid partition specified: x"):
        backend.submit("", f"{far.home}/s.sh", {})


def test_a_command_that_fails_says_why_and_one_that_hangs_is_given_up(far: FarSide, backend: SshBackend) -> None:
    far.script("scancel", "echo not yours >&2; exit 1")
    with pytest.raises(BackendCommandError, match="not yours"):
        backend.cancel(["1"])
    with pytest.raises(BackendTimeout, match="no answer within 0"):
        backend.connection.run("sleep 30", 0.2)


def test_a_command_that_hangs_is_named_and_not_the_shell_line_around_it(far: FarSide, backend: SshBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    backend.surroundings()
    far.script("scancel", "sleep 30")
    monkeypatch.setattr(backend.connection, "run", partial(_soon, backend.connection.run))
    with pytest.raises(BackendTimeout, match=r"no answer within 0 s: scancel$"):
        backend.cancel(["1"])
    with pytest.raises(BackendTimeout, match=r"no answer within 0 s: sleep 30; echo (this is a long line ){2}this  …$"):
        backend.say("sleep 30;\necho " + "this is a long line " * 9)


def _soon(run: Callable[..., Answer], command: str, seconds: float, name: str) -> Answer:
    return run(command, 0.4, name)


def test_the_backend_by_its_published_name_runs_commands_and_writes_files(far: FarSide) -> None:
    backend = SSHCommandBackend(**login(far), job_base_dir="~/jobs")
    assert backend.get_remote_upload_base_path() == f"{far.home}/jobs"
    assert backend.execute_command("echo out; echo err >&2") == "out\n"
    backend.write_file(f"{far.home}/deep/file", "text")
    assert (far.home / "deep/file").read_text() == "text"
    backend.close()


def test_a_host_without_slurm_is_told_apart(far: FarSide) -> None:
    (far.bin / "sbatch").unlink()
    found = SshBackend(env={"PATH": str(far.bin)}, **login(far))
    far.script("id", "echo ada")
    far.script("bash", "exit 0")
    with pytest.raises(BackendError, match="has no sbatch on PATH.*env="):
        found.base("~/jobs")
    found.close()


def test_what_a_login_shell_prints_is_part_of_no_answer(far: FarSide, backend: SshBackend) -> None:
    far.greeting = b"12345\nWelcome\n"
    path = f"{far.home}/s.sh"
    backend.write(path, b"")
    assert backend.submit("", path, {}) == "1"
    assert backend.say("echo this; echo that >&2") == "this\n"
    with pytest.raises(BackendCommandError, match="^not so$"):
        backend.say("echo not so >&2; exit 1")


def test_no_login_shell_sees_what_only_some_of_them_understand(far: FarSide, backend: SshBackend) -> None:
    text = "it's \"two\"\nlines! of \\n `x` $X 100% é"
    assert backend.say(f"X=1\ncat <<'end'\n{text}\nend\n") == f"{text}\n"
    assert not any(character in command for command in far.commands for character in "\n!")


def test_a_host_without_sftp_is_told_apart_at_once(tmp_path: Path) -> None:
    far = FarSide(tmp_path / "far", sftp=False)
    far.script("sbatch", SBATCH)
    found = SshBackend(**login(far))
    try:
        with pytest.raises(BackendError, match="does not answer by SFTP, by which files travel"):
            found.write(f"{far.home}/s.sh", b"")
        assert far.logins == 1
    finally:
        found.close()
        far.stop()


def test_an_archive_that_cannot_be_unpacked_leaves_nothing_and_one_sentence(far: FarSide, backend: SshBackend) -> None:
    with pytest.raises(OSError, match=r"gzip|tar") as raised:
        backend.unpack(b"no archive", f"{far.home}/code")
    assert "\n" not in str(raised.value) and not list(far.home.iterdir())


def test_slurm_that_only_a_login_shell_knows_is_found(far: FarSide, backend: SshBackend, tmp_path: Path) -> None:
    hidden = tmp_path / "opt"
    hidden.mkdir()
    (far.bin / "sbatch").rename(hidden / "sbatch")
    (far.home / ".bash_profile").write_text(f'echo Welcome\nexport PATH="{hidden}:$PATH"\n')
    (far.bin / "sh").write_text("#!/bin/sh\ncase \"$2\" in *slurm-sbatch=*) exit 0;; esac\nexec /bin/sh \"$@\"\n")
    (far.bin / "sh").chmod(0o755)
    assert backend.surroundings().shell == "bash -lc"
    backend.write(f"{far.home}/s.sh", b"")
    assert backend.submit("", f"{far.home}/s.sh", {}) == "1"


def test_a_wrong_password_is_refused_at_once_and_not_shown(far: FarSide) -> None:
    backend = SshBackend(**login(far, password="wrong-one"))
    with pytest.raises(LoginRefused, match="does not let you in.*the password") as raised:
        backend.base("~/jobs")
    assert "wrong-one" not in str(raised.value)
    assert far.logins == 1


def test_a_password_is_in_no_log(far: FarSide, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "asyncssh")
    backend = SshBackend(**login(far))
    backend.base("~/jobs")
    backend.close()
    assert "asyncssh" in caplog.text or caplog.records
    assert PASSWORD not in caplog.text


def test_those_who_wait_are_told_at_once_when_the_login_node_no_longer_lets_them_in(far: FarSide) -> None:
    far.script("squeue", 'echo "1|PENDING|0:0|None|"')
    with Cluster("ssh", **login(far)) as cluster:
        job = task(lambda: None, job_name="it")()
        assert job.status() == "PENDING"
        backend = cluster.backend
        assert isinstance(backend, SshBackend)
        backend.connection.login = SshBackend(**login(far, password="changed")).connection.login
        far.cut()
        began = time.monotonic()
        with pytest.raises(LoginRefused):
            job.wait(30)
        assert time.monotonic() - began < 10
    cluster.close()


def test_a_host_that_stays_away_is_given_up_after_the_attempts_that_were_asked_for(tmp_path: Path) -> None:
    backend = SshBackend("127.0.0.1", port=1, known_hosts=tmp_path / "k", look_for_keys=False, allow_agent=False, connection_attempts=2, retry_delay=0.05)
    began = time.monotonic()
    with pytest.raises(BackendError, match="cannot be reached"):
        backend.base("~/jobs")
    assert time.monotonic() - began < 5


def test_a_call_is_written_shipped_and_submitted_with_the_paths_of_the_other_side(far: FarSide) -> None:
    with Cluster("ssh", partition="gpu", setup="export A=1", **login(far)) as cluster:
        job = task(lambda number: number, job_name="it")(1)
        script = job.script()
    cluster.close()
    assert job.id == "1"
    assert job.target_job_dir.startswith(f"{far.home}/slurm_jobs/it/")
    assert "#SBATCH --partition=gpu" in script and "export A=1" in script and "exec python3 -m slurm.runner" in script
    assert f"PYTHONPATH='{far.home}/slurm_jobs/.code/slurm-" in script
    assert Path(job.files.call).exists()
    assert list((far.home / "slurm_jobs" / ".code").glob("slurm-*/slurm/sdk/inside/runner.py"))
