"""What a workflow submits, as a graph: a callback notes it, a tree and a file for Graphviz show it.

    python -m slurm.examples.workflow_graph_visualization --dataset flowers --dot graph.dot
    dot -Tsvg graph.dot -o graph.svg
"""

import argparse
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from slurm import Cluster, task, workflow
from slurm.callbacks import WorkflowGraphCallback
from slurm.errors import SdkError


@task(time="00:01:00", mem="200M")
def prepare(dataset: str) -> list[int]:
    """Numbers that stand for a data set: the same for the same name."""
    return [zlib.crc32(f"{dataset} {row}".encode()) % 100 for row in range(20)]


@task(time="00:01:00", mem="200M")
def train(rows: list[int], depth: int) -> tuple[int, int]:
    """A model: its error and its depth."""
    return abs(sum(rows) % 17 - depth), depth


@task(time="00:01:00", mem="200M")
def evaluate(dataset: str, model: tuple[int, int]) -> str:
    """What is to be said about a model."""
    return f"{dataset}: the best model has depth {model[1]} and an error of {model[0]}"


@workflow(time="00:05:00", mem="200M")
def choose(rows: list[int]) -> tuple[int, int]:
    """A workflow inside the workflow: some models, and the best of them."""
    return min(train.map([(rows, depth) for depth in (2, 4, 8)]).results())


@workflow(time="00:10:00", mem="200M")
def study(dataset: str) -> str:
    """From a data set to a sentence."""
    best = choose(prepare(dataset)).result()
    return evaluate(dataset, best).result()


def tree(graph: WorkflowGraphCallback) -> Iterator[str]:
    """The graph as lines, children below what submitted them."""
    def below(job: str, depth: int) -> Iterator[str]:
        node = graph.graph[job]
        yield f"{'  ' * depth}{node['name']} ({node['type']}, job {job})"
        for child in node["children"]:
            yield from below(child["job_id"], depth + 1)

    for root in graph.get_workflow_roots():
        yield from below(root, 0)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the workflow and shows its graph; exit status."""
    parser = argparse.ArgumentParser(description="Draws what a workflow submits.")
    parser.add_argument("--dataset", default="flowers", metavar="NAME", help="any name (flowers)")
    parser.add_argument("--timeout", type=float, default=600, metavar="SECONDS", help="how long to wait for the workflow (600)")
    parser.add_argument("--dot", type=Path, metavar="FILE", help="write the graph to this file, for Graphviz")
    Cluster.add_argparse_args(parser)
    wish = parser.parse_args(argv)
    graph = WorkflowGraphCallback()
    try:
        with Cluster.from_args(wish, callbacks=[graph]):
            print(study(wish.dataset).result(wish.timeout))
        print(*tree(graph), sep="\n")
        if wish.dot:
            wish.dot.write_text(graph.export_dot() + "\n", encoding="utf-8")
            print(f"{wish.dot} has the graph")
    except (SdkError, OSError) as error:
        print(f"workflow_graph_visualization: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
