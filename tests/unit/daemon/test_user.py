"""Who a daemon becomes, and what it may read then."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BECOME = """
import os, sys
from slurm.daemon import user
os.__file__ = sys.argv[1] + "/os.py"
print(repr(user.closed_library()))
user.become(user.find("65534", "SlurmUser"))
print(repr(user.closed_library()))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_library_that_only_root_reads_is_named(tmp_path: Path) -> None:
    (tmp_path / "os.py").touch()
    tmp_path.chmod(0o700)
    told = subprocess.run([sys.executable, "-c", BECOME, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60).stdout
    assert told == f"''\n'{tmp_path}/os.py'\n"
