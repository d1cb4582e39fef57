"""Proof that the fuzzers find faults: `python -m tests.fuzz.mutations [WORD …]` plants each in a copy of the sources and runs the fuzzer of its room.

A fault is found when its fuzzer fails, or does not end. Prints a table; status 1 when one was not found, or can be planted no more. With words:
only the faults whose name has one of them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
LONGEST_SECONDS = 300.0


class Fault(NamedTuple):
    """A fault: in `file` below src/slurm `sound` becomes `planted`; `fuzzer` is the test that is to find it."""

    name: str
    file: str
    sound: str
    planted: str
    fuzzer: str


FAULTS = (
    Fault("quadratic: commas in a list of tasks", "notation/taskset.py", "pieces = dict.fromkeys(text.split(\",\"))",
          'pieces = {piece: None for piece in text.split(",") if piece in text.split(",")}',
          "test_notation.py::test_texts_as_long_as_a_message_allows[tasks]"),
    Fault("unbounded: a message repeats all that was read", "notation/errors.py", "if len(text) <= _LONGEST:", "if text is not None:",
          "test_notation.py::test_texts_as_long_as_a_message_allows[tres]"),
    Fault("unbounded: how many files are included", "config/reader.py", "elif self.files >= MAX_FILES:", "elif False:",
          "test_configuration.py::test_files_that_include_many_that_include_many"),
    Fault("skipped: bounds of a request", "slurmctld/reading.py", "bounds.check(", "str(", "test_controller.py::test_requests_of_every_kind"),
    Fault("swallowed: a report out of bounds is not answered", "slurmctld/malformed.py", '    if "serial" not in fields:', '    if wrong or "serial" not in fields:',
          "test_controller.py::test_reports_of_nodes"),
    Fault("skipped: bounds of an order", "slurmd/node.py", "            bounds.check(message, _SETTINGS)\n", "            pass\n", "test_slurmd.py::test_orders_of_every_kind"),
    Fault("left open: the connection of a refused step", "slurmd/step_server.py", "        peer.send(_failed(error))\n        peer.close()\n", "        peer.send(_failed(error))\n",
          "test_slurmd.py::test_launches_of_steps"),
    Fault("skipped: the signature of a step credential", "wire/step_credential.py", "if not genuine(signature, purpose + body):", "if False:",
          "test_slurmd.py::test_credentials_that_are_nearly_good"),
    Fault("unchecked: a number of srun's", "slurmd/stepd/io.py", "if not isinstance(value, int) or not 0 <= value <= most:", "if not isinstance(value, int):",
          "test_stepd.py::test_what_srun_sends"),
    Fault("uncaught: an order nested without end", "slurmd/stepd/control.py", "except (ValueError, KeyError, TypeError, RecursionError) as error:",
          "except (ValueError, KeyError, TypeError) as error:", "test_stepd.py::test_the_order_socket"),
    Fault("unchecked: the window of a channel", "net/channels.py", "if self._room + size > WINDOW:", "if False:", "test_relay.py::test_windows_hold_whatever_the_other_end_says"),
    Fault("unbounded: the heartbeat that slurmctld asks of sackd", "sackd/kiosk.py", "        bounds.check(message, _SETTINGS)\n", "", "test_relay.py::test_what_slurmctld_says_to_sackd"),
    Fault("unchecked: the times of a token", "net/jwt_tokens.py", "if not isinstance(claim, int | float) or not 0 <= claim <= bounds.LAST_MOMENT:", "if False:",
          "test_tokens.py::test_signed_claims_of_every_kind"),
    Fault("growing: connections that ended keep their places", "net/stream.py", "            self._count(0)\n        self._gate.leave(self)\n", "            self._count(0)\n",
          "test_tokens.py::test_hellos_and_handshakes_at_the_port"),
    Fault("skipped: bounds of a question about the past", "slurmdbd/dispatch.py", "            bounds.check(message, _SETTINGS)\n            if isinstance", "            if isinstance",
          "test_slurmdbd.py::test_what_users_ask"),
    Fault("unchecked: who changes policy", "slurmdbd/policy_rights.py", "if who.rank >= 2:", "if who.rank >= 0:", "test_slurmdbd.py::test_what_users_ask"),
    Fault("unchecked: a record's checksum", "store/sqlite_journal.py", "if _checksum(seq, kind, body) != crc:", "if False:", "test_journal.py::test_a_file_that_was_closed"),
    Fault("silent: a log with fewer frames than were written", "store/sqlite_wal.py", "if len(lost) > 1 or counted > valid:", "if len(lost) > 1:",
          "test_journal.py::test_a_file_and_the_log_that_a_killed_controller_left"),
)


def found(fault: Fault, seconds: float = LONGEST_SECONDS) -> str:
    """How the fuzzer found the fault, "" when it did not; LookupError when the fault cannot be planted."""
    with tempfile.TemporaryDirectory(prefix="fuzz-proof-") as folder:
        source = Path(folder) / "src"
        shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
        file = source / "slurm" / fault.file
        text = file.read_text(encoding="utf-8")
        if text.count(fault.sound) != 1:
            raise LookupError(f"{fault.file} has {text.count(fault.sound)} times {fault.sound!r}")
        file.write_text(text.replace(fault.sound, fault.planted), encoding="utf-8")
        command = [
            sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-o", f"pythonpath={source} {ROOT}", str(ROOT / "tests" / "fuzz" / fault.fuzzer)]
        try:
            done = subprocess.run(
                command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False, env={**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"})
        except subprocess.TimeoutExpired:
            return f"it did not end within {seconds:.0f} s"
        if done.returncode == 0:
            return ""
        if done.returncode != 1:
            raise LookupError(f"pytest ended with {done.returncode}: {(done.stdout + done.stderr)[-600:]}")
        raised = [line.lstrip("E ").strip() for line in done.stdout.splitlines() if line.startswith("E  ") and ("Error" in line or "assert" in line)]
        return raised[0][:90] if raised else "it failed"


def main(words: list[str]) -> int:
    """Plant them all and print what came of each."""
    missed = 0
    chosen = [fault for fault in FAULTS if not words or any(word in fault.name or word in fault.file for word in words)]
    for fault in chosen:
        began = time.monotonic()
        try:
            how = found(fault)
        except LookupError as error:
            how, missed = f"CANNOT BE PLANTED: {error}", missed + 1
        else:
            missed += not how
        print(f"{'found ' if how else 'MISSED'} {time.monotonic() - began:4.0f} s  {fault.file:<26} {fault.name:<58} {how}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} planted faults were found")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
