"""python -m tests.campaign [--seconds N] [--seed S] [--report FILE] [--logs FILE]: status 0 when every promise was kept."""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

from tests.campaign import campaign, report
from tests.system.machines import why_not


def main() -> int:
    """One campaign, told on standard output."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign")
    parser.add_argument("--seconds", type=float, default=1800.0, help="how long faults go on (default: 1800)")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="the same seed chooses the same load and the same faults")
    parser.add_argument("--report", type=Path, help="write the page here")
    parser.add_argument("--logs", type=Path, help="when a promise was broken: write the logs of all daemons here")
    options = parser.parse_args()
    if why := why_not():
        print(f"no campaign here: {why}", file=sys.stderr)
        return 1
    print(f"python -m tests.campaign --seconds {options.seconds:.0f} --seed {options.seed}", flush=True)
    outcome = campaign.run(options.seconds, options.seed)
    text = report.page(outcome, options.seconds, options.seed, time.strftime("%-d %B %Y"))
    print(text[text.index("## What was done"):])
    for name, sentences in outcome.broken.items():
        for sentence in sentences:
            print(f"{name}: {sentence}")
    for sentence, count in outcome.refusals.items():
        print(f"sbatch refused {count} times: {sentence}")
    if options.report:
        options.report.write_text(text)
    if options.logs and outcome.logs:
        options.logs.write_text(outcome.logs)
    return 0 if outcome.holds else 1


if __name__ == "__main__":
    sys.exit(main())
