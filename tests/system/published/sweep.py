"""Written as the published SDK's users write: a command line of its own and the SDK's, callbacks, a map and a reduction, on a cluster behind ssh."""

import argparse
import time

from slurm import BaseCallback, Cluster
from slurm.callbacks import ExecutionLocus, LoggerCallback, SubmitEndContext
from slurm.decorators import task


class Recorder(BaseCallback):
    """Remembers what it was told of."""

    requires_pickling = False

    def __init__(self) -> None:
        self.told: list[str] = []
        self.states: list[str] = []

    def on_begin_package_ctx(self, ctx):
        self.told.append("begin package")

    def on_end_package_ctx(self, ctx):
        self.told.append("end package")

    def on_begin_submit_job_ctx(self, ctx):
        self.told.append(f"begin submit {ctx.backend_type}")

    def on_end_submit_job_ctx(self, ctx: SubmitEndContext):
        self.told.append(f"end submit {ctx.job_id == ctx.job.id}")

    def on_completed_ctx(self, ctx):
        self.told.append(f"completed {ctx.job_state} {ctx.emitted_by == ExecutionLocus.CLIENT}")


@task(time="00:05:00", mem="200M", packaging="none")
def count(text: str) -> dict[str, int]:
    return {word: text.split().count(word) for word in set(text.split())}


@task(time="00:05:00", mem="200M", packaging="none")
def merge(counts: list[dict[str, int]]) -> dict[str, int]:
    return {word: sum(one.get(word, 0) for one in counts) for word in sorted({word for one in counts for word in one})}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--text", action="append", required=True)
    Cluster.add_argparse_args(parser)
    args = parser.parse_args()
    recorder = Recorder()
    cluster = Cluster.from_args(args, callbacks=[recorder, LoggerCallback(poll_interval=0.5)], retry_delay=1)
    with cluster:
        first = count(args.text[0])
        print(first.wait(poll_interval=0.5), sorted(first.get_result().items()))
        for _ in range(100):
            if any(event.startswith("completed") for event in recorder.told):
                break
            time.sleep(0.1)
        print(recorder.told)
        mapped = count.map(args.text)
        for job in mapped:
            job.wait(poll_interval=0.5)
        print(cluster.submit(merge, after=list(mapped), cpus_per_task=2)(mapped.get_results()).get_result(timeout=60))
        print(cluster.backend_type, cluster.get_job(first.id).get_result() == first.get_result(), cluster.diagnose()["connectivity"]["success"])


if __name__ == "__main__":
    main()
