"""PyTorch on two nodes: the sample of the concept page with gloo instead of NCCL, on emulated nodes beside the example, and on Debian's Slurm over ssh."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench.real_slurm import RealSlurm
from bench.real_slurm import missing as no_real_slurm
from tests.cluster.slurmd.container_registry import needs_containers
from tests.system import login_node
from tests.system.harness import Cluster
from tests.system.login_node import LoginNode

pytestmark = pytest.mark.clients

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = re.findall(r"^```python\n(.*?)^```$", (Path(__file__).parent / "sdk_samples.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
TRAINING = """
    import torch
    from torch.nn.parallel import DistributedDataParallel
    torch.set_num_threads(1)
    assert (rank, world_size) == (dist.get_rank(), dist.get_world_size()) and local_rank == int(os.environ["LOCAL_RANK"])
    torch.manual_seed(rank)
    inputs = torch.randn(64, 4)
    model = DistributedDataParallel(torch.nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=config["lr"])
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = ((model(inputs) - inputs.sum(1, keepdim=True)) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    weights = [one.detach() for one in model.parameters()]
    gathered = [None] * world_size
    dist.all_gather_object(gathered, torch.cat([one.flatten() for one in weights]).tolist())
    assert losses[-1] < 0.1 * losses[0], losses
    assert all(one == gathered[0] for one in gathered), gathered
    dist.destroy_process_group()
    final_loss = losses[-1]
"""
"""What stands for `# ... training code ...`: data of each rank's own, so that equal weights come of gradients that met."""


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two emulated nodes that are large enough for the sample."""
    found = Cluster(tmp_path_factory.mktemp("torch") / "c", "--nodes", "2", "--cpus", "48", "--memory", "64G", "--gpus", "h100:4")
    found.up()
    yield found
    found.close()


def program(cluster: str) -> str:
    """The sample, and a call of it on this cluster."""
    (sample,) = [sample for sample in SAMPLES if "def train_distributed" in sample]
    changed = sample.replace('"nccl"', '"gloo"').replace("    # ... training code ...\n", TRAINING)
    assert changed.count("gloo") == 1 and "all_gather_object" in changed
    return ("import os\nfrom slurm import Cluster, task\n" + changed + f"with {cluster}:\n    job = train_distributed({{'lr': 0.1}})\n"
            "    loss = job.result(300)['loss']\n    print(len(job.rank_results()), 0 <= loss < 1)\n")


def test_the_sample_trains_on_debians_slurm_over_ssh(tmp_path: Path) -> None:
    missing = login_node.missing() or no_real_slurm()
    if missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    real, node = RealSlurm(nodes=2), LoginNode(tmp_path / "login")
    (tmp_path / "sample.py").write_text(program(
        f"Cluster('ssh', hostname='127.0.0.1', port={node.port}, key_filename='{node.folder}/key', known_hosts='{node.folder}/known_hosts', "
        f"job_base_dir='{tmp_path}/jobs', python={sys.executable!r}, env={{'SLURM_CONF': '{real.folder}/slurm.conf'}})"))
    try:
        real.start()
        node.start()
        done = subprocess.run([sys.executable, tmp_path / "sample.py"], capture_output=True, text=True, timeout=300, check=False, env={
            **os.environ, "PYTHONPATH": str(ROOT / "src")})
        assert (done.stdout, done.returncode) == ("8 True\n", 0), done.stderr
    finally:
        node.stop()
        real.stop()


def test_the_sample_trains_beside_the_example(nodes: Cluster) -> None:
    nodes.script("sample.py", program(f"Cluster(job_base_dir={str(nodes.work)!r})"))
    beside = nodes.spawn(sys.executable, str(ROOT / "examples" / "hello_distributed.py"), env={"HOME": str(nodes.work)})
    assert nodes.ok(sys.executable, "sample.py", timeout=300) == "8 True\n"
    said, errors = beside.communicate(timeout=300)
    first, *ranks = said.splitlines()
    assert re.fullmatch(r"job \d+: 2 nodes, 4 ranks", first), errors
    found = [re.fullmatch(r"rank (\d) on (\w+): loss (\S+) -> (\S+), y = (\S+) x (\S+)", line) for line in ranks]
    assert [one and one.group(1, 2) for one in found] == [("0", "cn01"), ("1", "cn01"), ("2", "cn02"), ("3", "cn02")]
    for one in filter(None, found):
        assert float(one[4]) < 0.1 * float(one[3])
        assert (float(one[5]), float(one[6])) == (pytest.approx(3, abs=0.1), pytest.approx(-1, abs=0.1))
    assert len({one.group(5, 6) for one in found if one}) == 1


IN_CONTAINER = """
import os
import torch
import torch.distributed as dist
dist.init_process_group("gloo")
torch.set_num_threads(1)
torch.manual_seed(dist.get_rank())
inputs = torch.randn(64, 4)
model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(4, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
losses = []
for _ in range(30):
    optimizer.zero_grad()
    loss = ((model(inputs) - inputs.sum(1, keepdim=True)) ** 2).mean()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
gathered = [None] * dist.get_world_size()
dist.all_gather_object(gathered, torch.cat([one.detach().flatten() for one in model.parameters()]).tolist())
assert losses[-1] < 0.1 * losses[0] and all(one == gathered[0] for one in gathered)
names = ("SLURM_PROCID", "SLURM_NODEID", "SLURM_NNODES", "SLURM_NTASKS", "SLURMD_NODENAME")
print(dist.get_rank(), dist.get_world_size(), *(os.environ[name] for name in names), os.path.exists("/of_the_image"), flush=True)
dist.destroy_process_group()
"""
MOUNTED = ("/usr", "/bin", "/lib", "/lib64", sys.base_prefix, sys.prefix)
"""What Python needs of the host; torch's own folder comes to it."""


@needs_containers
def test_torchrun_trains_in_a_container_on_two_nodes(nodes: Cluster) -> None:
    image = nodes.work / "image"
    image.mkdir()
    (image / "of_the_image").touch()
    (image / "train.py").write_text(IN_CONTAINER)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch = find_spec("torch")
    assert torch is not None and torch.origin is not None, "make clients installs it"
    places = dict.fromkeys((*MOUNTED, str(Path(torch.origin).parents[1])))
    mounts = ",".join(f"{path}:{path}:ro" for path in places if os.path.exists(path))
    torchrun = (f"exec {sys.executable} -m torch.distributed.run --nnodes=$SLURM_NNODES --nproc-per-node=1 --node-rank=$SLURM_NODEID"
                f" --master-addr=127.0.0.1 --master-port={port} /train.py")
    said = nodes.ok("srun", "-N2", "--ntasks-per-node=1", f"--container-image={image}", f"--container-mounts={mounts}", "bash", "-c", torchrun,
                    timeout=300)
    assert sorted(said.splitlines()) == ["0 2 0 0 2 2 cn01 True", "1 2 1 1 2 2 cn02 True"]
