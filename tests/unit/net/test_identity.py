"""Keys and tokens: a key that others can read is refused, a token is good once and for a minute."""

import os
from pathlib import Path

import pytest

from slurm.model.errors import ConfigError, NotPermitted
from slurm.net.identity import Notary, make_key, read_key

KEY = b"k" * 32


def test_a_new_key_is_its_owners_alone_and_is_not_overwritten(tmp_path: Path) -> None:
    path = str(tmp_path / "slurm.key")
    key = make_key(path)
    assert len(key) == 1024
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert read_key(path, {os.getuid()}) == key
    with pytest.raises(ConfigError, match="File exists"):
        make_key(path)


def test_a_key_that_cannot_be_trusted_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "slurm.key"
    with pytest.raises(ConfigError, match="cannot read the key"):
        read_key(str(path), {os.getuid()})
    path.write_bytes(KEY)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="has mode 0640: others could speak as anybody"):
        read_key(str(path), {os.getuid()})
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=f"belongs to uid {os.getuid()}"):
        read_key(str(path), {os.getuid() + 1})
    path.write_bytes(b"short")
    with pytest.raises(ConfigError, match="has 5 bytes"):
        read_key(str(path), {os.getuid()})
    with pytest.raises(ConfigError, match="is not a regular file"):
        read_key("/dev/null", {0})


def test_a_token_says_who_from_where_and_is_good_once() -> None:
    notary = Notary(KEY, now=lambda: 1000.0, host="login", here="slurmctld")
    token = notary.mint(1001, 100, to="slurmctld")
    identity = notary.verify(token)
    assert (identity.uid, identity.gid, identity.host) == (1001, 100, "login")
    with pytest.raises(NotPermitted):
        notary.verify(token)


def test_a_token_for_one_daemon_opens_no_other() -> None:
    # A false slurmd that srun calls cannot use what it is shown at the controller, nor the other way round.
    slurmctld, slurmd = (Notary(KEY, here=here) for here in ("slurmctld", "tcp://10.0.0.3:6818"))
    with pytest.raises(NotPermitted) as caught:
        slurmctld.verify(slurmd.mint(0, 0, to="tcp://10.0.0.3:6818"))
    assert caught.value.hints == ("the credential is for tcp://10.0.0.3:6818, this is slurmctld",)
    for token in (slurmctld.mint(0, 0, to="slurmctld"), slurmctld.mint(0, 0)):
        with pytest.raises(NotPermitted):
            slurmd.verify(token)


def test_a_token_costs_the_same_however_many_were_used_before() -> None:
    clock = [1000.0]
    notary = Notary(KEY, now=lambda: clock[0])
    for each in range(3000):
        clock[0] = 1000.0 + each / 10
        notary.verify(notary.mint(1, 1))
        assert len(notary._used) + len(notary._used_before) <= 2 * 1201


def test_used_tokens_are_forgotten_once_they_have_expired_anyway() -> None:
    clock = [1000.0]
    notary = Notary(KEY, now=lambda: clock[0], host="login")
    old = notary.mint(1, 1)
    notary.verify(old)
    for _ in range(2):
        clock[0] += 121
        notary.verify(notary.mint(1, 1))
    assert len(notary._used) + len(notary._used_before) == 2
    with pytest.raises(NotPermitted) as caught:
        notary.verify(old)
    assert "has expired" in caught.value.hints[0]


def test_a_token_of_another_cluster_is_refused() -> None:
    with pytest.raises(NotPermitted):
        Notary(KEY).verify(Notary(b"another key of a cluster").mint(0, 0))
