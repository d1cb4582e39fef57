"""slurmrestd -u: whose the unix sockets are afterwards, and that nothing else becomes theirs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
NOBODY = 65534
PROGRAM = """
import os, socket, sys
from slurm.slurmrestd.__main__ import _become, _wanted, parser
folder = sys.argv[1]
stream = socket.socket(socket.AF_UNIX)
stream.bind(f"{folder}/rest.sock")
if len(sys.argv) > 2:
    os.unlink(f"{folder}/rest.sock")
    os.symlink(sys.argv[2], f"{folder}/rest.sock")
_become(_wanted(parser().parse_args(["-u", "65534", "-g", "65534", f"unix:{folder}/rest.sock"]), {}), [stream])
"""


def _become(*words: Path) -> None:
    subprocess.run([sys.executable, "-c", PROGRAM, *map(str, words)], check=True)


def test_the_unix_socket_belongs_to_whom_slurmrestd_becomes(tmp_path: Path) -> None:
    _become(tmp_path)
    assert (tmp_path / "rest.sock").lstat().st_uid == NOBODY


def test_a_link_that_somebody_put_in_place_of_the_socket_gives_nothing_away(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("root's")
    _become(tmp_path, victim)
    assert victim.stat().st_uid == 0
