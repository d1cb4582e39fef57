"""docs/reliability.md: what was tried how often, with what result, on which commit."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.campaign.campaign import Outcome

ROOT = Path(__file__).resolve().parents[2]
_HEAD = """\
# Reliability

Written by `make campaign`, which `tests/campaign` carries out: a controller and four nodes as machines of their own (namespaces of network, mounts, processes and host name on one switch),
daemons as root, jobs of two ordinary users: scripts with exit codes, arrays, chains of `afterok` and `afterany`, steps on one and two nodes, jobs that may not be requeued.
Most scripts are told to end with an exit code other than 0, so that codes can be compared; hence so many FAILED. Meanwhile, at random
times, what the first table names is done to them. Jobs write down themselves, by a clock that nobody sets, when they begin, that they are alive (five times a second) and how they end. When
everything is mended and has ended, that history is read and compared with what the controller says.

What it does not show: machines share one kernel and one file system here, so that a machine that loses power in the middle of a write, a network that delays and reorders, and more
than four nodes are not in it. Clocks jump for the daemons (what `time.time` tells them), not for the kernel. A node's own disk survives when it is started anew.

"""


def page(outcome: Outcome, seconds: float, seed: int, date: str) -> str:
    """The page about one campaign."""
    commit, clean = commit_of()
    lines = [
        _HEAD + f"The last one: {date}, {seconds:.0f} seconds, commit `{commit}`{'' if clean else ' with changes that are not committed'}; "
        f"`python -m tests.campaign --seconds {seconds:.0f} --seed {seed}` does it again.\n",
        "## What was done\n", "| what | how often |", "| --- | --- |",
        *(f"| {name} | {count} |" for name, count in outcome.faults.items()), "",
        "## What ran\n", "| what | how many |", "| --- | --- |",
        f"| submissions acknowledged | {outcome.acknowledged} |",
        f"| submissions refused, or of which sbatch said that it does not know | {outcome.unknown} |",
        f"| scripts begun | {outcome.tasks} |", f"| of these, second and later attempts | {outcome.attempts} |",
        f"| tasks of steps begun | {outcome.steps} |", f"| drained nodes that the operator resumed | {outcome.resumed} |",
        *(f"| jobs that ended {state} | {count} |" for state, count in sorted(outcome.ends.items())), "",
        "## What was found\n", "| must not be | found |", "| --- | --- |",
        *(f"| {name} | {len(sentences)} |" for name, sentences in outcome.broken.items()), ""]
    if not outcome.holds:
        lines += ["### In words\n", *(f"- {name}: {_short(sentence)}" for name, sentences in outcome.broken.items() for sentence in sentences[:20]), ""]
    return "\n".join(lines)


def _short(sentence: str) -> str:
    return sentence if len(sentence) < 300 else sentence[:300] + " …"


def commit_of() -> tuple[str, bool]:
    """The commit that is tried, and whether the files are that commit's."""
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    return git("rev-parse", "HEAD"), not git("status", "--porcelain", "--", "src", "tests")
