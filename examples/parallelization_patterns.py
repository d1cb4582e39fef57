"""Four ways in which jobs belong together: side by side, one after another, as a sweep, and as their results decide.

    python -m slurm.examples.parallelization_patterns --pattern all
"""

import argparse
import sys
from collections.abc import Callable, Sequence

from slurm import Cluster, task, workflow
from slurm.errors import SdkError


@task(time="00:01:00", mem="200M")
def square(number: int) -> int:
    """Something that takes long."""
    return number**2


@task(time="00:01:00", mem="200M")
def load(rows: int) -> list[int]:
    """The first stage of a pipeline."""
    return list(range(rows))


@task(time="00:01:00", mem="200M")
def clean(rows: list[int]) -> list[int]:
    """The second one: only odd rows are good."""
    return [row for row in rows if row % 2]


@task(time="00:01:00", mem="200M")
def report(rows: list[int], wanted: int) -> str:
    """The last one."""
    return f"{len(rows)} of {wanted} rows are good, their sum is {sum(rows)}"


@task(time="00:01:00", mem="200M")
def train(rate: float, width: int) -> tuple[float, float, int]:
    """A model of a sweep: its loss, and what it was made with."""
    return round((rate - 0.01) ** 2 + 1 / width, 6), rate, width


@workflow(time="00:05:00", mem="200M")
def search(low: int, high: int, goal: int) -> tuple[int, int]:
    """Which number has this square, and after how many rounds: each round's jobs depend on what the round before found out."""
    rounds = 0
    while high - low > 1:
        rounds += 1
        step = max(1, (high - low) // 4)
        tried = list(range(low + step, high, step))
        below = [number for number, result in zip(tried, square.map(tried).results(), strict=True) if result <= goal]
        low, high = below[-1] if below else low, next((number for number in tried if number not in below), high)
    return low, rounds


def fanout() -> None:
    """Calls that know nothing of each other: each is a job, and all run at once."""
    jobs = [square(number) for number in (3, 4, 5)]
    print("  squares:", [job.result() for job in jobs])


def pipeline() -> None:
    """A job as an argument is a dependency: all three are submitted at once, and nothing waits here but for the last."""
    rows = load(10)
    print(" ", report(clean(rows), 10).result())


def sweep() -> None:
    """One array over a grid, two at a time; the results come as they are ready."""
    grid = [{"rate": rate, "width": width} for rate in (0.1, 0.01) for width in (8, 64)]
    models = train.map(grid, max_concurrent=2)
    done = [job.result() for job in models.as_completed()]
    print(f"  {len(done)} models, the best with rate {min(done)[1]} and width {min(done)[2]}")


def dynamic_deps() -> None:
    """A workflow runs as a job too and decides there what comes next; and `after` orders jobs that hand each other nothing."""
    found = search(0, 40, 1225)
    last = square.after(found)(2)
    print(f"  1225 is the square of {found.result()[0]}, found in {found.result()[1]} rounds; then came job {last.id}: {last.result()}")


PATTERNS: dict[str, Callable[[], None]] = {"fanout": fanout, "pipeline": pipeline, "sweep": sweep, "dynamic-deps": dynamic_deps}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one pattern or all of them; exit status."""
    parser = argparse.ArgumentParser(description="Shows how jobs can belong together.")
    parser.add_argument("--pattern", choices=[*PATTERNS, "all"], default="all", help="which (all)")
    Cluster.add_argparse_args(parser)
    wish = parser.parse_args(argv)
    try:
        with Cluster.from_args(wish):
            for name in PATTERNS if wish.pattern == "all" else [wish.pattern]:
                print(f"{name}: {(PATTERNS[name].__doc__ or '').strip()}", flush=True)
                PATTERNS[name]()
    except SdkError as error:
        print(f"parallelization_patterns: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
