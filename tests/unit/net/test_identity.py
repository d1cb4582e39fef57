"""Keys and tokens: a key that others can read is refused, a token is good once and for a minute."""

import os
from pathlib import Path

import pytest

from slurm.model.errors import ConfigError
from slurm.net.identity import make_key, read_key

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
