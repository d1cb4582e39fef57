"""What large messages took goes back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

GROWTH = """
import sys
from slurm.daemon.memory import give_back
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
if sys.argv[1] == "yes":
    assert give_back()
bytearray(30_000_000)  # the first large one moves glibc's limits
before = resident()
for _ in range(3):
    held = [bytearray(12_000_000) for _ in range(8)]
    small = [bytearray(2000) for _ in range(50)]
    del held
    kept = bytearray(70_000)
print(resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library than glibc gives back by itself")
def test_after_a_burst_of_large_messages_a_daemon_is_as_small_as_before() -> None:
    grown = {asked: int(subprocess.run([sys.executable, "-c", GROWTH, asked], capture_output=True, text=True, check=True).stdout) for asked in ("yes", "no")}
    assert grown["yes"] < 8_000_000, grown
