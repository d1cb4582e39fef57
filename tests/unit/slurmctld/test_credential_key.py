"""The key that signs step credentials: made once, kept to itself, and trusted only where nobody else can have put it."""

import os
from pathlib import Path

import pytest

from slurm.model.errors import StoreError
from slurm.net.signing import Checker
from slurm.slurmctld.credential_key import NAME, load

OWNERS = {os.geteuid()}


def test_a_key_is_made_once_and_its_public_half_checks_what_it_signs(tmp_path: Path) -> None:
    made, again = load(str(tmp_path), OWNERS), load(str(tmp_path), OWNERS)
    assert made.public == again.public and (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    checker = Checker(made.public)
    assert checker.genuine(again.sign(b"text"), b"text") and not checker.genuine(again.sign(b"text"), b"tex")
    assert not checker.genuine(b"short", b"text")
    assert made.public != (tmp_path / NAME).read_bytes()


def test_a_key_that_others_could_read_or_have_put_there_is_not_used(tmp_path: Path) -> None:
    load(str(tmp_path), OWNERS)
    key = tmp_path / NAME
    with pytest.raises(StoreError, match=f"it belongs to uid {os.geteuid()}, not to root or SlurmUser"):
        load(str(tmp_path), {4711})
    key.chmod(0o640)
    with pytest.raises(StoreError, match="others may read it"):
        load(str(tmp_path), OWNERS)
    key.chmod(0o600)
    key.write_bytes(b"short")
    with pytest.raises(StoreError, match="5 bytes instead of 32"):
        load(str(tmp_path), OWNERS)
    key.rename(tmp_path / "elsewhere")
    key.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="cannot read"):
        load(str(tmp_path), OWNERS)
    key.unlink()
    os.mkfifo(key, 0o600)
    with pytest.raises(StoreError, match="no regular file"):
        load(str(tmp_path), OWNERS)


def test_a_key_that_earlier_versions_gave_to_nodes_is_replaced(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"k" * 64)
    (tmp_path / NAME).chmod(0o600)
    load(str(tmp_path), OWNERS)
    assert len((tmp_path / NAME).read_bytes()) == 32
