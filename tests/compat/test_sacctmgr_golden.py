"""sacctmgr beside what the real one printed, line by line: one database, every recorded command in its order."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat.policy_lab import PolicyLab, Said
from tests.compat.transcript import Entry, transcript

NOT_YET = ("show event", "show transactions", "show stats", "show config", "show runawayjobs", "show problem")
"""Lists of what ours records in another way, or does not show yet."""
ENTRIES = [
    entry for entry in transcript("accounting") if entry.program == "sacctmgr" and "|" not in entry.command
    and not any(entry.command.startswith(f"sacctmgr {words}") for words in NOT_YET)]


def ours_without_hints(said: Said) -> Said:
    """Ours says more below Slurm's lines."""
    return said._replace(stderr=[line for line in said.stderr if not line.startswith("sacctmgr: hint: ")])


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PolicyLab]:
    made = PolicyLab(tmp_path_factory.mktemp("policy"))
    yield made
    made.database.close()


def test_the_recorded_commands_are_here() -> None:
    assert len(ENTRIES) >= 33


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.where)
def test_sacctmgr_prints_what_slurms_prints(lab: PolicyLab, entry: Entry, tmp_path: Path) -> None:
    written = tmp_path / "lab.cfg"
    said = ours_without_hints(lab.run(entry.command.replace("/scratch/lab.cfg", str(written))))
    assert (said.stdout, said.stderr, said.status) == (list(entry.stdout), list(entry.stderr), entry.status), entry.command
    if written.exists():
        (recorded,) = [each for each in transcript("accounting") if each.command == "cat lab.cfg"]
        assert written.read_text().splitlines() == list(recorded.stdout)
