"""`slurm adopt`: whom it believes before it looks for jobs. Logins by a real sshd are in tests/cluster/slurmd."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import pytest

from slurm.commands import adopt
from slurm.commands.embedded.console import Console
from slurm.model.errors import ConfigError, SlurmError


def told(environ: Mapping[str, str], *words: str) -> SlurmError:
    """Why nobody is let in."""
    parser = argparse.ArgumentParser()
    adopt.arguments(parser)
    with pytest.raises(SlurmError) as caught:
        adopt.run(parser.parse_args(words), environ, Console())
    return caught.value


def test_a_slurm_conf_from_pams_environment_is_not_read(tmp_path: Path) -> None:
    """It may be of the user who logs in, and name a spool that he filled."""
    theirs = str(tmp_path / "slurm.conf")
    assert theirs not in told({"PAM_TYPE": "account", "PAM_USER": "nobody", "SLURM_CONF": theirs}).message
    by_hand = told({"PAM_USER": "nobody", "SLURM_CONF": theirs})
    assert isinstance(by_hand, ConfigError) and theirs in by_hand.message


@pytest.mark.parametrize(("environ", "why"), [
    ({"PAM_TYPE": "auth", "PAM_USER": "nobody"}, "not for auth"),
    ({"PAM_TYPE": "open_session", "PAM_USER": "nobody"}, "not for open_session"),
    ({"PAM_TYPE": "account"}, "PAM_USER is not set"),
    ({"PAM_TYPE": "account", "PAM_USER": "no such user"}, "no such user"),
])
def test_who_is_meant_must_be_clear(environ: dict[str, str], why: str) -> None:
    assert why in told(environ).message
