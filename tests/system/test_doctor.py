"""`slurm doctor` on a cluster that runs: healthy as it comes up, ill when a daemon dies; and other machines' facts by ssh."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system import login_node
from tests.system.harness import Cluster
from tests.system.login_node import LoginNode

Maker = Callable[..., Cluster]
EXAMPLE = Path("/usr/share/doc/slurmctld/examples/slurm.conf.simple.gz")


def test_a_new_cluster_is_healthy_and_one_whose_node_died_is_not(fresh: Maker) -> None:
    cluster = fresh("--nodes", "2", "--cpus", "2")
    cluster.up()
    said = cluster.run("slurm", "doctor", "--strict")
    assert said.status == 0 and said.out.endswith(" checks of 1 machine: healthy\n"), said
    cluster.finish("-J", "of-ada", "--wrap", "true", env={"HF_TOKEN": "hf_of_ada_only"})
    assert "sdiag.json, nodes.json, jobs.json" in cluster.ok("slurm", "support", "-o", "help.tar.gz")
    with tarfile.open(cluster.work / "help.tar.gz") as bundle:
        texts = {entry.name: (bundle.extractfile(entry) or io.BytesIO()).read().decode() for entry in bundle.getmembers()}
    assert [node["name"] for node in json.loads(texts["slurm-support/nodes.json"])] == ["cn01", "cn02"]
    assert json.loads(texts["slurm-support/state.json"])["journal"] and "hf_of_ada_only" not in "".join(texts.values())
    cluster.kill("slurmd-cn02")
    said = cluster.run("slurm", "doctor", "daemons", "--json")
    assert said.status == 1, said
    assert json.loads(said.out)["checks"][0]["findings"][0]["sentence"] == "slurmd of cn02 does not run"


def test_other_machines_are_asked_by_ssh(fresh: Maker, tmp_path: Path) -> None:
    if lacking := login_node.missing():
        pytest.fail(lacking) if os.environ.get("CI") else pytest.skip(lacking)
    cluster = fresh("--nodes", "1")
    conf = tmp_path / "slurm.conf"
    conf.write_text("ClusterName=lab\nSlurmctldHost=head.invalid\nAuthType=auth/slurm\nNodeName=nd1 NodeAddr=nd1.invalid CPUs=1\n"
                    "NodeName=nd2 NodeAddr=nd2.invalid CPUs=1\nPartitionName=p Nodes=ALL Default=YES\n")
    node = LoginNode(tmp_path / "node", {name: cluster.environment[name] for name in ("PATH", "PYTHONPATH")})
    (tmp_path / ".ssh").mkdir(mode=0o700)
    (tmp_path / ".ssh" / "config").write_text("".join(
        f"Host {host}\n  HostName 127.0.0.1\n  Port {node.port if host == 'nd1.invalid' else 1}\n  IdentityFile {node.folder}/key\n"
        f"  UserKnownHostsFile {node.folder}/known_hosts\n" for host in ("nd1.invalid", "nd2.invalid", "head.invalid")))
    node.start()
    try:
        done = subprocess.run(["slurm", "doctor", "-f", conf, "--nodes", "nd[1-2]", "--json"], env={**cluster.environment, "HOME": str(tmp_path)},
                              capture_output=True, text=True, timeout=60, check=False)
    finally:
        node.stop()
    answer = json.loads(done.stdout)
    assert done.returncode == 1 and len(answer["machines"]) == 2 and answer["silent"] == ["nd2.invalid"], done
    sentences = [one["sentence"] for check in answer["checks"] for one in check["findings"]]
    assert any("could not be asked by ssh" in one for one in sentences)
    assert any("nd1.invalid has no address here" in one for one in sentences)


def test_a_real_slurms_configuration_is_read_as_it_is(fresh: Maker, tmp_path: Path) -> None:
    if not EXAMPLE.exists():
        pytest.fail(f"no {EXAMPLE}") if os.environ.get("CI") else pytest.skip(f"no {EXAMPLE} (apt-get install slurmctld)")
    conf = tmp_path / "slurm.conf"
    conf.write_bytes(gzip.decompress(EXAMPLE.read_bytes()))
    said = fresh("--nodes", "1").run("slurm", "doctor", "-f", str(conf))
    assert said.status == 1 and "FAULT    configuration" not in said.out and "workstation has no address here" in said.out, said
