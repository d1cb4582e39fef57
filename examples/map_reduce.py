"""Map and reduce: an array of jobs throws darts at a square, one more job adds up how many hit the circle in it, which gives pi.

    python -m slurm.examples.map_reduce --num-chunks 8

The reducing job gets the whole array as its argument. It waits for it in the queue, not in this program.
"""

import argparse
import random
import sys
from collections.abc import Sequence

from slurm import Cluster, task
from slurm.errors import SdkError


@task(time="00:05:00", mem="200M")
def count_hits(seed: int, darts: int) -> tuple[int, int]:
    """One chunk: how many of so many darts hit. A seed of its own makes each chunk different, and the same when it runs again."""
    chance = random.Random(seed)
    return sum(chance.random() ** 2 + chance.random() ** 2 < 1 for _ in range(darts)), darts


@task(time="00:05:00", mem="200M")
def add_up(chunks: list[tuple[int, int]]) -> float:
    """All chunks together."""
    return 4 * sum(hits for hits, _ in chunks) / sum(darts for _, darts in chunks)


def main(argv: Sequence[str] | None = None) -> int:
    """Submits an array and a job that depends on it; exit status."""
    parser = argparse.ArgumentParser(description="Estimates pi with an array of jobs.")
    parser.add_argument("--num-chunks", type=int, default=4, metavar="N", help="elements of the array (4)")
    parser.add_argument("--darts", type=int, default=100_000, metavar="N", help="darts of each element (100000)")
    Cluster.add_argparse_args(parser)
    wish = parser.parse_args(argv)
    if wish.num_chunks < 1 or wish.darts < 1:
        parser.error("--num-chunks and --darts begin at 1")
    try:
        with Cluster.from_args(wish):
            chunks = count_hits.map([(seed, wish.darts) for seed in range(wish.num_chunks)])
            total = add_up(chunks)
            print(f"{wish.num_chunks} chunks are mapped by job {chunks.id}, reduced by job {total.id}", flush=True)
            for number, (hits, darts) in enumerate(chunks.results()):
                print(f"chunk {number}: {hits} of {darts} darts hit")
            print(f"pi is about {total.result():.4f}")
    except SdkError as error:
        print(f"map_reduce: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
