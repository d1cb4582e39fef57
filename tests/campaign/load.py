"""What is submitted, and how: arrays, chains of dependencies, scripts with steps, exit codes, jobs that may not be requeued; by two ordinary users."""

from __future__ import annotations

import random
import subprocess
import threading
from pathlib import Path

from tests.campaign.history import Wanted
from tests.system.machines import ALICE, BOB, Machines

MOST_WAITING = 40
"""More are not submitted until some of these have ended."""
SUBMIT_SECONDS = 90.0

_NOTE = """
note() { read up _ < /proc/uptime; printf '%s %s %s %s %s %s %s %s\\n' "$up" "$1" "$SLURM_JOB_ID" "${SLURM_RESTART_COUNT:-0}" "$step" "$task" "$SLURMD_NODENAME" "$2" >> "$file"; }
live() { n=0; while [ $n -lt $1 ]; do note alive 0; sleep 0.2; n=$((n+1)); done; }
"""
_SCRIPT = """#!/bin/sh
# script KEY TICKS CODE STEPS
file={history}/$1${{SLURM_ARRAY_TASK_ID:+.$SLURM_ARRAY_TASK_ID}} step=- task=-
{note}
note begin 0
if [ "$4" -gt 0 ]; then
    srun -n "$4" sh {step} "$1" "$2"
    note srun $?
else
    live $2
fi
code=$3
[ -n "$SLURM_ARRAY_TASK_ID" ] && code=$((SLURM_ARRAY_TASK_ID % 4))
note end $code
exit $code
"""
_STEP = """#!/bin/sh
file={history}/$1${{SLURM_ARRAY_TASK_ID:+.$SLURM_ARRAY_TASK_ID}} step=$SLURM_STEP_ID task=$SLURM_PROCID
{note}
note begin 0
live $2
note end 0
"""


class Load:
    """Submits until `stop`; `wanted` is what was submitted so far."""

    def __init__(self, machines: Machines, seed: int) -> None:
        self.wanted: list[Wanted] = []
        self.unknown = 0
        self.refusals: list[str] = []
        self.waiting = 0
        self.history = machines.work / "history"
        self.history.mkdir()
        self.history.chmod(0o1777)
        self._machines = machines
        self._random = random.Random(seed)
        self._stopping = threading.Event()
        self._script = machines.work / "job.sh"
        step = machines.work / "step.sh"
        step.write_text(_STEP.format(history=self.history, note=_NOTE))
        self._script.write_text(_SCRIPT.format(history=self.history, note=_NOTE, step=step))
        self._threads = [threading.Thread(target=self._go_on, args=(user, name)) for user, name in ((ALICE, "a"), (BOB, "b"))]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Submit no more; returns when the last submission has been answered."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _go_on(self, user: int, name: str) -> None:
        number = 0
        chance = random.Random(self._random.random())
        last = ""
        while not self._stopping.is_set():
            if self.waiting < MOST_WAITING:
                number += 1
                last = self._submit(chance, user, f"{name}{number}", last)
            self._stopping.wait(chance.uniform(0.1, 1.0))

    def _submit(self, chance: random.Random, user: int, key: str, before: str) -> str:
        kind = chance.choice(("single", "single", "single", "steps", "steps", "array", "afterok", "afterany", "stubborn"))
        code = chance.choice((0, 0, 0, 1, 2, 3, 5))
        steps = chance.choice((1, 2, 3)) if kind == "steps" else 0
        words = ["--parsable", "-o", f"{self.history}/out-%A_%a-{key}", "--open-mode=append"]
        codes = {0: code}
        if kind == "array":
            last = chance.randint(2, 6)
            codes = {task: task % 4 for task in range(1, last + 1)}
            words.append(f"--array=1-{last}%{chance.randint(1, 3)}")
        if kind == "stubborn":
            words.append("--no-requeue")
        if steps:
            words += ["-n", str(steps), *(["-N2"] if steps > 1 and chance.random() < 0.5 else [])]
        after = next((one for one in self.wanted if one.key == before and one.job), None) if kind.startswith("after") else None
        if after is not None:
            words.append(f"--dependency={kind}:{after.job}")
            if kind == "afterok":
                words.append("--kill-on-invalid-dep=yes")
        ticks = chance.choice((2, 5, 5, 10, 25))
        try:
            done = self._machines["head"].run("sbatch", *words, str(self._script), key, str(ticks), str(code), str(steps), user=user, timeout=SUBMIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.unknown += 1
            self.wanted.append(Wanted(key, 0, codes))
            return key
        text = done.out.strip()
        if done.status == 0 and text.isdigit():
            self.wanted.append(Wanted(key, int(text), codes, kind != "stubborn", after.key if after is not None and kind == "afterok" else ""))
        else:
            self.unknown += 1
            self.refusals.append(done.err.strip().splitlines()[0] if done.err.strip() else f"status {done.status}")
            self.wanted.append(Wanted(key, 0, codes))
        return key


def files_of(folder: Path, wanted: list[Wanted]) -> dict[str, str]:
    """What the jobs of these submissions have written, by KEY or KEY.TASK."""
    found = {}
    for submission in wanted:
        for task in submission.codes:
            path = folder / (f"{submission.key}.{task}" if task else submission.key)
            if path.exists():
                found[path.name] = path.read_text(errors="replace")
    return found
