"""Who is let in, and which hosts are believed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncssh
import pytest

from slurm.sdk.backends.ssh import SshBackend
from slurm.sdk.backends.ssh_login import Doorman, Login, _taken
from slurm.sdk.cluster import Cluster
from slurm.sdk.errors import BackendError, InvalidOption, LoginRefused


@pytest.fixture(scope="module")
def keys() -> list[asyncssh.SSHKey]:
    """Two host keys."""
    return [asyncssh.generate_private_key("ssh-ed25519").convert_to_public() for _ in range(2)]


def _doorman(folder: Path, listed: list[asyncssh.SSHKey], policy: str = "reject") -> tuple[Doorman, Path]:
    path = folder / "known_hosts"
    if listed:
        path.write_bytes(b"".join(b"login " + key.export_public_key() for key in listed))
    login = Login("login", known_hosts=path, host_key_policy=policy)
    return Doorman(login, [str(path)] if listed else [], []), path


def test_an_unknown_host_is_refused_with_its_fingerprint_and_what_to_do(tmp_path: Path, keys: list[asyncssh.SSHKey]) -> None:
    doorman, path = _doorman(tmp_path, [])
    assert not doorman.validate_host_public_key("login", "10.0.0.1", 2222, keys[0])
    assert keys[0].get_fingerprint() in doorman.refusal
    assert f"ssh-keyscan -p 2222 login >> {path}" in doorman.refusal


@pytest.mark.parametrize("policy", ["reject", "warn", "auto"])
def test_a_host_whose_key_has_changed_is_refused_whatever_the_policy(tmp_path: Path, keys: list[asyncssh.SSHKey], policy: str) -> None:
    doorman, _ = _doorman(tmp_path, keys[:1], policy)
    assert not doorman.validate_host_public_key("login", "", 22, keys[1])
    assert "HAS CHANGED" in doorman.refusal
    assert all(key.get_fingerprint() in doorman.refusal for key in keys)


@pytest.mark.parametrize("policy", ["reject", "warn", "auto"])
def test_a_host_that_shows_another_kind_of_key_than_is_listed_is_refused_in_these_words(tmp_path: Path, keys: list[asyncssh.SSHKey], policy: str) -> None:
    listed = asyncssh.generate_private_key("ecdsa-sha2-nistp256").convert_to_public()
    doorman, path = _doorman(tmp_path, [listed], policy)
    assert not doorman.validate_host_public_key("login", "", 22, keys[0])
    assert "shows a key of another kind than known_hosts lists" in doorman.refusal and f"ssh-keyscan login >> {path}" in doorman.refusal
    assert all(key.get_fingerprint() in doorman.refusal for key in (listed, keys[0]))


@pytest.mark.parametrize(("kind", "configured", "taken"), [
    ("ssh-ed25519", "rsa-sha2-512", False), ("ssh-ed25519", "rsa-*,ssh-ed*", True), ("ssh-ed25519", "-ssh-ed25519", False),
    ("ssh-ed25519", "-ssh-rsa", True), ("ssh-ed25519", "^ssh-rsa", True), ("ssh-rsa", "rsa-sha2-256", True), ("ssh-rsa", "-ssh-rsa", True)])
def test_kinds_of_host_keys_are_those_that_the_users_configuration_leaves(kind: str, configured: str, taken: bool) -> None:
    assert _taken(kind, configured) == taken


@pytest.mark.parametrize("policy", ["reject", "warn", "auto"])
def test_a_key_that_is_revoked_for_one_port_of_a_host_is_refused_whatever_the_policy(tmp_path: Path, keys: list[asyncssh.SSHKey], policy: str) -> None:
    path = tmp_path / "known_hosts"
    path.write_bytes(b"@revoked [login]:2222 " + keys[0].export_public_key())
    doorman = Doorman(Login("login", known_hosts=path, host_key_policy=policy), [str(path)], [])
    assert not doorman.validate_host_public_key("login", "10.0.0.1", 2222, keys[0])
    assert "is REVOKED in known_hosts" in doorman.refusal and path.read_bytes().count(b"\n") == 1


def test_auto_remembers_a_host_and_believes_nobody_else_afterwards(tmp_path: Path, keys: list[asyncssh.SSHKey]) -> None:
    doorman, path = _doorman(tmp_path, [], "auto")
    assert doorman.validate_host_public_key("login", "", 2222, keys[0])
    assert asyncssh.match_known_hosts(str(path), "login", "", 2222)[0] == [keys[0]]
    assert not doorman.validate_host_public_key("login", "", 2222, keys[1])


def test_warn_says_whom_it_trusts_and_writes_nothing(tmp_path: Path, keys: list[asyncssh.SSHKey], capsys: pytest.CaptureFixture[str]) -> None:
    doorman, path = _doorman(tmp_path, [], "warn")
    assert doorman.validate_host_public_key("login", "", 22, keys[0])
    assert keys[0].get_fingerprint() in capsys.readouterr().err
    assert not path.exists()


def test_a_password_shows_nowhere(tmp_path: Path) -> None:
    cluster = Cluster("ssh", hostname="login", username="ada", password="hunter2", passphrase="hunter3", job_base_dir=str(tmp_path))
    backend = cluster.backend
    assert isinstance(backend, SshBackend)
    shown = f"{cluster!r} {cluster.spec()} {backend.connection.login!r} {backend.connection.login} {cluster.__reduce__()}"
    assert "hunter" not in shown


def test_inside_a_job_the_cluster_is_reached_by_its_commands(tmp_path: Path) -> None:
    spec = Cluster("ssh", hostname="login", job_base_dir=str(tmp_path), partition="gpu").spec()
    assert spec["backend_type"] == "commands" and spec["python"] == "python3" and spec["partition"] == "gpu"
    assert Cluster.from_spec(spec).job_base_dir == str(tmp_path)


@pytest.mark.parametrize(("words", "said"), [
    ({}, "needs hostname"), ({"hostname": "x", "host_key_policy": "never"}, "valid: reject, warn, auto"),
    ({"hostname": "x", "connection_attempts": 0}, "at least one"), ({"hostname": "x", "env": {"A B": "1"}}, "no name of a variable"),
    ({"hostname": "x", "hostnam": "y"}, "no option hostnam"), ({"hostname": "x", "gss_auth": True}, "gss_auth is not supported.*ssh/config")])
def test_wrong_arguments_are_refused_before_anything_is_opened(words: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidOption, match=said):
        Cluster("ssh", **words)


def test_the_published_names_of_arguments_are_understood() -> None:
    backend = Cluster("ssh", hostname="login", ssh_key_path="~/.ssh/id", banner_timeout=5, username=None).backend
    assert isinstance(backend, SshBackend)
    assert backend.connection.login.auth_timeout == 5


def test_a_key_that_is_not_there_is_named(tmp_path: Path) -> None:
    login = Login("127.0.0.1", port=1, key_filename=tmp_path / "nokey", known_hosts=tmp_path / "known")
    with pytest.raises(LoginRefused, match="there is no key .*nokey"):
        asyncio.run(login.open(0, 1))


def test_a_host_that_does_not_listen_is_no_refusal(tmp_path: Path) -> None:
    login = Login("127.0.0.1", port=1, known_hosts=tmp_path / "known", look_for_keys=False, allow_agent=False)
    with pytest.raises(BackendError, match="127.0.0.1:1 cannot be reached") as raised:
        asyncio.run(login.open(0, 1))
    assert not isinstance(raised.value, LoginRefused)


def test_an_encrypted_key_whose_passphrase_is_wrong_or_missing_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    key = tmp_path / "key"
    key.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key("openssh", "right", "aes256-ctr"))
    for given, said in (("wrong", "[Ii]ncorrect passphrase"), (None, "passphrase=… opens a key")):
        with pytest.raises(LoginRefused, match=said):
            asyncio.run(Login("127.0.0.1", port=1, key_filename=key, passphrase=given, known_hosts=tmp_path / "known").open(0, 1))
    with pytest.raises(BackendError, match="127.0.0.1:1 cannot be reached"):
        asyncio.run(Login("127.0.0.1", port=1, key_filename=key, passphrase="right", known_hosts=tmp_path / "known").open(0, 1))


def test_a_key_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(LoginRefused, match=f"{tmp_path} cannot be read: Is a directory"):
        asyncio.run(Login("127.0.0.1", port=1, key_filename=tmp_path, known_hosts=tmp_path / "known").open(0, 1))


def test_known_hosts_are_where_the_users_configuration_says_unless_told_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host hpc\n  UserKnownHostsFile ~/hpc_hosts ~/lab_hosts\n")
    for name in ("hpc_hosts", "lab_hosts"):
        (tmp_path / name).touch()
    login, other, told = Login("hpc"), Login("elsewhere"), Login("hpc", known_hosts=tmp_path / "lab_hosts")
    assert login._files()[:2] == [f"{tmp_path}/hpc_hosts", f"{tmp_path}/lab_hosts"] and login.known_hosts == f"{tmp_path}/hpc_hosts"
    assert f"{tmp_path}/hpc_hosts" not in (*other._files(), *told._files())
    assert (other.known_hosts, told.known_hosts) == (f"{tmp_path}/.ssh/known_hosts", f"{tmp_path}/lab_hosts")
