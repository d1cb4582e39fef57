"""From files to credentials: what a daemon needs is said in a sentence, what others could change is not trusted, changes are taken up."""

import asyncio
import logging
import os
import time
from pathlib import Path

import pytest

from slurm.model.errors import ConfigError, NotPermitted
from slurm.net.authority import Authority
from slurm.net.certificates import NEXT, OLD, Files, files_of, follow, load
from slurm.net.tls import Trust
from tests.unit.net.test_tls import met

KEY = b"k" * 64
ME = {os.getuid()}


def put(path: str, content: bytes, mode: int = 0o600) -> None:
    Path(path).write_bytes(content)
    os.chmod(path, mode)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """The files of slurmd nd1, none of which is there."""
    return files_of(str(tmp_path / "slurm.key"), "slurmd", {}, "nd1")


def given(files: Files, role: str = "slurmd", name: str = "nd1", key: bytes = KEY) -> None:
    """Give the machine a certificate."""
    authority = Authority(key, "lab")
    pair = authority.issue(role, name)
    put(files.certificate, pair.certificate, 0o644)
    put(files.private_key, pair.key)
    put(files.authorities, authority.certificate, 0o644)


def nd1(files: Files) -> Trust:
    return Trust(load(files, "lab", "slurmd", "nd1", ME))


def controller(key: bytes = KEY, *trusted: bytes) -> Trust:
    return Trust(Authority(key, "lab").credentials("slurmctld", "head", trusted=[Authority(each, "lab").certificate for each in trusted]))


def test_names_are_slurms_own_and_tls_parameters_say_where_else(tmp_path: Path) -> None:
    key = str(tmp_path / "slurm.key")
    assert files_of(key, "slurmctld", {}).certificate == str(tmp_path / "ctld_cert.pem")
    found = files_of(key, "slurmd", {"slurmd_cert_file": "/etc/slurm/%n.pem", "ca_cert_file": "/ca.pem"}, "nd7")
    assert (found.certificate, found.authorities) == ("/etc/slurm/nd7.pem", "/ca.pem")
    assert found.private_key == str(tmp_path / "slurmd_cert_key.pem")


def test_a_daemon_with_nothing_says_what_it_needs(files: Files) -> None:
    with pytest.raises(ConfigError) as caught:
        nd1(files)
    said = "; ".join(caught.value.lines())
    assert "slurmd nd1 has nothing to prove itself by" in said and files.key in said and files.certificate in said
    assert "slurm cert make slurmd nd1" in said and "dd if=/dev/random" in said


def test_with_the_key_a_daemon_issues_itself_a_certificate(files: Files) -> None:
    put(files.key, KEY)
    server, _ = met(controller(), nd1(files))
    assert server.party is not None and server.party[:3] == ("lab", "slurmd", "nd1")


def test_a_certificate_instead_of_the_key_makes_that_daemon_and_no_other(files: Files) -> None:
    given(files)
    server, _ = met(controller(), nd1(files))
    assert server.party is not None and server.party.name == "nd1"
    assert not os.path.exists(files.key)
    for role, name in (("slurmd", "nd2"), ("slurmctld", "head")):
        with pytest.raises(ConfigError) as caught:
            load(files, "lab", role, name, ME)
        assert "is for slurm://lab/slurmd/nd1" in caught.value.message


@pytest.mark.parametrize(("name", "mode", "told"), [
    ("private_key", 0o640, "others could speak as this daemon"), ("certificate", 0o666, "others could change it"),
    ("authorities", 0o664, "others could change it"), ("key.next", 0o644, "others could speak as anybody")])
def test_files_that_others_could_read_or_change_are_refused(files: Files, name: str, mode: int, told: str) -> None:
    given(files)
    path = files.key + NEXT if name == "key.next" else str(getattr(files, name))
    if name == "key.next":
        put(path, KEY)
    os.chmod(path, mode)
    with pytest.raises(ConfigError) as caught:
        nd1(files)
    assert told in caught.value.message and path in caught.value.message


def test_files_of_another_user_are_refused(files: Files) -> None:
    given(files)
    with pytest.raises(ConfigError, match="belongs to uid"):
        load(files, "lab", "slurmd", "nd1", {os.getuid() + 1})


def test_a_certificate_that_is_none_is_named(files: Files) -> None:
    given(files)
    put(files.certificate, b"no certificate", 0o644)
    with pytest.raises(ConfigError, match="slurmd_cert.pem is no certificate of slurm-py"):
        nd1(files)


def test_next_and_old_key_are_trusted_and_issue_nothing(files: Files) -> None:
    put(files.key, KEY)
    for suffix, other in ((NEXT, b"n" * 64), (OLD, b"o" * 64)):
        with pytest.raises(NotPermitted):
            met(controller(other, KEY), nd1(files))
        put(files.key + suffix, other)
        server, _ = met(controller(other, KEY), nd1(files))
        assert server.party is not None and server.party.key_id == Authority(KEY, "lab").key_id


def test_revoked_serial_numbers_are_read_as_people_write_them(files: Files) -> None:
    put(files.key, KEY)
    put(files.revoked, b"# stolen\n00AbC  # slurmd nd2\n\n1f2e\n", 0o644)
    assert load(files, "lab", "slurmd", "nd1", ME).revoked == {"0abc", "1f2e"}
    put(files.revoked, b"nd2\n", 0o644)
    with pytest.raises(ConfigError, match="nd2 is no serial number"):
        nd1(files)


def test_a_change_of_a_file_is_taken_up_while_running_and_a_bad_one_changes_nothing(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    put(files.key, KEY)
    trust = nd1(files)
    caplog.set_level(logging.INFO)

    async def until(text: str) -> None:
        deadline = time.monotonic() + 20
        while text not in caplog.text:
            assert time.monotonic() < deadline, caplog.text
            await asyncio.sleep(0.05)

    async def main() -> None:
        following = asyncio.create_task(follow(files, lambda: trust.replace(load(files, "lab", "slurmd", "nd1", ME)), logging.getLogger("test")))
        await asyncio.sleep(0.2)
        put(files.key + NEXT, b"short")
        await until("the certificates were not read again: the key")
        met(controller(), trust)
        put(files.key + NEXT, b"n" * 64)
        await until("the certificates were read again")
        met(controller(b"n" * 64, KEY), trust)
        following.cancel()

    asyncio.run(main())
