"""Logging in at a real sshd, with no Slurm behind it: what is said when the two sides do not come together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from slurm.sdk.backends.ssh_login import Login
from slurm.sdk.errors import LoginRefused
from tests.system import login_node
from tests.system.login_node import LoginNode


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoginNode]:
    """A host with one ed25519 key."""
    if missing := login_node.missing():
        pytest.fail(missing)
    found = LoginNode(tmp_path_factory.mktemp("login") / "node")
    try:
        found.start()
        yield found
    finally:
        found.stop()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's ~/.ssh, empty, without an agent."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / ".ssh").mkdir(mode=0o700)
    return tmp_path / ".ssh"


def opened(node: LoginNode, **words: object) -> None:
    """Log in once."""

    async def once() -> None:
        given = {"key_filename": node.folder / "key", **words}
        (await Login("127.0.0.1", port=node.port, **given).open(0, 1)).abort()  # type: ignore[arg-type]

    asyncio.run(once())


def list_hosts(node: LoginNode, home: Path, *keys: bytes) -> None:
    """Have known_hosts list these keys for the node."""
    (home / "known_hosts").write_bytes(b"".join(f"[127.0.0.1]:{node.port} ".encode() + key for key in keys))


def test_a_host_of_which_another_kind_of_key_is_listed_is_refused_and_beside_the_right_one_that_does_no_harm(node: LoginNode, home: Path) -> None:
    other = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key()
    list_hosts(node, home, other)
    with pytest.raises(LoginRefused, match="shows ssh-ed25519 SHA256:.*but known is ecdsa-sha2-nistp256 SHA256"):
        opened(node)
    list_hosts(node, home, other, (node.folder / "host_key.pub").read_bytes())
    opened(node)


def test_a_host_whose_kind_of_key_the_users_configuration_leaves_out_is_refused_in_these_words(node: LoginNode, home: Path) -> None:
    list_hosts(node, home, (node.folder / "host_key.pub").read_bytes())
    (home / "config").write_text("Host 127.0.0.1\n  HostKeyAlgorithms rsa-sha2-512\n")
    with pytest.raises(LoginRefused, match=r"a key of the kind ssh-ed25519, and HostKeyAlgorithms rsa-sha2-512 of ~/.ssh/config leaves that out"):
        opened(node)


@pytest.mark.parametrize("word", ["accept-new", "no", "off"])
def test_an_unknown_host_is_added_where_the_users_configuration_says_so(node: LoginNode, home: Path, word: str) -> None:
    (home / "config").write_text(f"Host elsewhere\n  StrictHostKeyChecking yes\nHost 127.*\n  StrictHostKeyChecking {word}\n")
    opened(node)
    assert (home / "known_hosts").read_bytes().split()[1:3] == (node.folder / "host_key.pub").read_bytes().split()[:2]


def test_what_is_given_counts_before_the_users_configuration_and_a_changed_key_is_refused_all_the_same(node: LoginNode, home: Path) -> None:
    (home / "config").write_text("StrictHostKeyChecking no\n")
    with pytest.raises(LoginRefused, match="is unknown"):
        opened(node, host_key_policy="reject")
    list_hosts(node, home, (node.folder / "other_host_key.pub").read_bytes())
    with pytest.raises(LoginRefused, match="HAS CHANGED"):
        opened(node)


@pytest.mark.parametrize("lines", ["", "Host 127.*\n  StrictHostKeyChecking yes\n", "Host elsewhere\n  StrictHostKeyChecking accept-new\n"])
def test_an_unknown_host_is_refused_where_the_users_configuration_does_not_trust_it(node: LoginNode, home: Path, lines: str) -> None:
    (home / "config").write_text(lines)
    with pytest.raises(LoginRefused, match="is unknown"):
        opened(node)
    assert not (home / "known_hosts").exists()


def test_a_mistake_in_the_users_configuration_is_told_in_the_words_of_ssh(node: LoginNode, home: Path) -> None:
    (home / "config").write_text("StrictHostKeyChecking perhaps\n")
    with pytest.raises(LoginRefused, match="ssh says of .*perhaps"):
        opened(node)


def own_key(node: LoginNode, home: Path, name: str, passphrase: str) -> Path:
    """The key that the node lets in, put into ~/.ssh, locked."""
    key = asyncssh.read_private_key(node.folder / "key")
    (home / name).write_bytes(key.export_private_key("openssh", passphrase, "aes256-ctr"))
    (home / name).chmod(0o600)
    return home / name


def test_a_locked_key_that_was_looked_for_is_named_with_what_opens_it(node: LoginNode, home: Path) -> None:
    list_hosts(node, home, (node.folder / "host_key.pub").read_bytes())
    for name, lines in (("id_ed25519", ""), ("odd", "Host 127.*\n  IdentityFile ~/.ssh/odd\n")):
        key = own_key(node, home, name, "right")
        (home / "config").write_text(lines)
        with pytest.raises(LoginRefused, match=f"Locked, and so not tried: {key}; `ssh-add {key}` or passphrase=… opens"):
            opened(node, key_filename=None)
        opened(node, key_filename=None, passphrase="right")


def test_nothing_is_said_to_be_locked_where_nothing_is(node: LoginNode, home: Path) -> None:
    list_hosts(node, home, (node.folder / "host_key.pub").read_bytes())
    with pytest.raises(LoginRefused) as raised:
        opened(node, key_filename=node.folder / "other_key")
    assert "does not let you in" in str(raised.value) and "Locked" not in str(raised.value)


def test_keys_that_the_users_configuration_names_and_that_are_not_there_are_passed_over(node: LoginNode, home: Path) -> None:
    list_hosts(node, home, (node.folder / "host_key.pub").read_bytes())
    (home / "config").write_text(f"Host 127.*\n  IdentityFile ~/.ssh/nowhere\n  IdentityFile {node.folder}/key\n")
    opened(node, key_filename=None)
    (home / "config").write_text("Host 127.*\n  IdentityFile ~/.ssh/nowhere\n")
    with pytest.raises(LoginRefused, match="does not let you in"):
        opened(node, key_filename=None)
