"""Trains epoch after epoch while the epochs before are evaluated; what was done is not done again when the workflow is requeued.

    python -m slurm.examples.parallel_train_eval.workflow --epochs 4

An epoch that is too long for one job (--steps-per-job-cap) is a chain of jobs. To see it go on: `scontrol requeue JOB`, with any job of it.
"""

import argparse
import sys
from collections.abc import Sequence

from slurm import Cluster, Job, WorkflowContext, workflow
from slurm.errors import SdkError

from .eval_task import evaluate
from .state import State
from .train_task import train


@workflow(time="00:30:00", mem="200M")
def train_and_evaluate(ctx: WorkflowContext, epochs: int, epoch_steps: int, cap: int) -> list[tuple[int, float]]:
    """Step and loss after each epoch. All jobs are submitted at once: each training waits for the one before it, each evaluation for its training."""
    state: State | Job[State] = State()
    losses = []
    for _ in range(epochs):
        for done in range(0, epoch_steps, cap):
            state = train(state, min(cap, epoch_steps - done), str(ctx.shared_dir))
        losses.append(evaluate(state))
    return [loss.result() for loss in losses]


def main(argv: Sequence[str] | None = None) -> int:
    """Submits the workflow and shows what the epochs brought; exit status."""
    parser = argparse.ArgumentParser(description="Trains and evaluates side by side.")
    parser.add_argument("--epochs", type=int, default=3, metavar="N", help="(3)")
    parser.add_argument("--epoch-steps", type=int, default=30, metavar="N", help="steps of an epoch (30)")
    parser.add_argument("--steps-per-job-cap", type=int, default=0, metavar="N", help="steps that one job may do (a whole epoch)")
    Cluster.add_argparse_args(parser)
    wish = parser.parse_args(argv)
    if wish.epochs < 1 or wish.epoch_steps < 1 or wish.steps_per_job_cap < 0:
        parser.error("--epochs and --epoch-steps begin at 1, --steps-per-job-cap at 0, which is no cap")
    try:
        with Cluster.from_args(wish):
            job = train_and_evaluate(wish.epochs, wish.epoch_steps, wish.steps_per_job_cap or wish.epoch_steps)
            print(f"the workflow is job {job.id}", flush=True)
            for epoch, (step, loss) in enumerate(job.result(), 1):
                print(f"epoch {epoch}: loss {loss:.4f} after {step} steps")
    except SdkError as error:
        print(f"parallel_train_eval: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
