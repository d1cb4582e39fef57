"""sacctmgr beside what the real one printed, line by line: one database, every recorded command in its order."""

from typing import NamedTuple

import pytest

from tests.compat.policy_lab import PolicyLab, Said
from tests.compat.transcript import Entry, transcript

NOT_YET = ("show event", "show transactions", "show stats", "show config", "show problem")
"""Lists of what ours records in another way, or that depend on the machine's users."""
ENTRIES = [
    entry for entry in transcript("accounting") if entry.program == "sacctmgr" and "|" not in entry.command
    and not any(entry.command.startswith(f"sacctmgr {words}") for words in NOT_YET)]


def ours_without_hints(said: Said) -> Said:
    """Ours says more below Slurm's lines."""
    return said._replace(stderr=[line for line in said.stderr if not line.startswith("sacctmgr: hint: ")])


class Answered(NamedTuple):
    """What ours said to one of the commands, and what it wrote to the file."""

    said: Said
    written: list[str]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answered]:
    """All commands carried out in their order, by where they stand: one test alone, or in any order, finds the same as all together."""
    folder = tmp_path_factory.mktemp("policy")
    lab = PolicyLab(folder)
    found = {}
    try:
        for number, entry in enumerate(ENTRIES):
            written = folder / f"{number}.cfg"
            said = ours_without_hints(lab.run(entry.command.replace("/scratch/lab.cfg", str(written))))
            found[entry.where] = Answered(said, written.read_text().splitlines() if written.exists() else [])
    finally:
        lab.database.close()
    return found


def test_the_recorded_commands_are_here() -> None:
    assert len(ENTRIES) >= 34


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.where)
def test_sacctmgr_prints_what_slurms_prints(answers: dict[str, Answered], entry: Entry) -> None:
    said, written = answers[entry.where]
    assert (said.stdout, said.stderr, said.status) == (list(entry.stdout), list(entry.stderr), entry.status), entry.command
    if written:
        (recorded,) = [each for each in transcript("accounting") if each.command == "cat lab.cfg"]
        assert written == list(recorded.stdout)
