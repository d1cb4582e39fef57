"""PyTorch on several nodes: each task of one job holds a copy of a model and a share of the data, and gradients are averaged over all (DDP).

    slurm up --nodes 2 --cpus 4
    python hello_distributed.py

Needs PyTorch, which for processors alone is smaller: pip install torch --extra-index-url https://download.pytorch.org/whl/cpu
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from slurm import Cluster, JobContext, task
from slurm.errors import SdkError


@task(nodes=2, ntasks_per_node=2, cpus_per_task=1, mem="2G", time="00:10:00")
def train_distributed(steps: int, job: JobContext) -> dict:
    """Fits a line; the result of each rank says what it made of it."""
    import torch
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    torch.set_num_threads(1)
    torch.manual_seed(job.rank)  # every rank has data of its own
    os.environ.update(job.torch_distributed_env())
    dist.init_process_group(backend="nccl" if torch.cuda.is_available() else "gloo")
    inputs = torch.randn(256, 1)
    targets = 3 * inputs - 1 + 0.1 * torch.randn(256, 1)
    model = DistributedDataParallel(torch.nn.Linear(1, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(inputs), targets)
        loss.backward()  # here the gradients of all ranks meet
        optimizer.step()
        losses.append(loss.item())
    weight, bias = model.module.weight.item(), model.module.bias.item()
    dist.destroy_process_group()
    return {"rank": job.rank, "node": os.environ["SLURMD_NODENAME"], "first": losses[0], "last": losses[-1], "weight": weight, "bias": bias}


def main(argv: Sequence[str] | None = None) -> int:
    """Submits one job and shows what its ranks have learned; exit status."""
    parser = argparse.ArgumentParser(description="Trains one model on the tasks of one job.")
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--tasks-per-node", type=int, default=2)
    parser.add_argument("--steps", type=int, default=50)
    Cluster.add_argparse_args(parser)
    wish = parser.parse_args(argv)
    if find_spec("torch") is None:
        print("This example needs PyTorch: pip install torch --extra-index-url https://download.pytorch.org/whl/cpu", file=sys.stderr)
        return 1
    try:
        with Cluster.from_args(wish):
            job = train_distributed.with_options(nodes=wish.nodes, ntasks_per_node=wish.tasks_per_node)(wish.steps)
            print(f"job {job.id}: {wish.nodes} nodes, {wish.nodes * wish.tasks_per_node} ranks", flush=True)
            job.result()
            for one in job.rank_results():
                print(f"rank {one['rank']} on {one['node']}: loss {one['first']:.3f} -> {one['last']:.3f}, y = {one['weight']:.2f} x {one['bias']:+.2f}")
    except SdkError as error:
        print(f"hello_distributed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
