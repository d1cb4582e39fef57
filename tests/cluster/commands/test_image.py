"""`slurm image`: a registry's image becomes a file, and what nodes have unpacked for the caller is listed and removed."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from pathlib import Path

import pytest

from slurm.commands import slurm
from tests.cluster.slurmd.container_registry import entry, layer, needs_containers, serving

pytestmark = needs_containers


def test_an_image_of_a_registry_becomes_a_squashfs_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    with serving() as registry:
        registry.push("lab/tiny:1", [layer(entry("etc/hello", b"hi"))], {"Env": ["A=b"]})
        image = f"docker://{registry.place}#lab/tiny:1"
        assert slurm.main(["image", "import", image]) == 0
        assert capsys.readouterr().out == f"{tmp_path}/lab+tiny+1.sqsh\n"
        assert os.listdir(tmp_path) == ["lab+tiny+1.sqsh"]
        listed = subprocess.run(["unsquashfs", "-ls", "lab+tiny+1.sqsh"], capture_output=True, text=True, check=True).stdout.split()
        assert {"squashfs-root/etc/hello", "squashfs-root/etc/environment", "squashfs-root/etc/rc"} <= set(listed)
        assert slurm.main(["image", "import", image]) == 1
        assert f"{tmp_path}/lab+tiny+1.sqsh is there already" in capsys.readouterr().err
        assert slurm.main(["image", "import", "-f", "-o", "lab+tiny+1.sqsh", image.replace("tiny:1", "none")]) == 1
        assert "there is no such image" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["lab+tiny+1.sqsh"]


def test_images_of_a_node_are_listed_and_removed_unless_they_are_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    conf = tmp_path / "slurm.conf"
    conf.write_text(f"ClusterName=test\nSlurmctldHost=localhost\nAuthType=auth/local\nSlurmdSpoolDir={tmp_path}/spool-%n\nStateSaveLocation={tmp_path}\n"
                    "NodeName=cn[01-02] NodeHostname=localhost CPUs=1\nPartitionName=debug Nodes=ALL Default=YES\n")
    monkeypatch.setenv("SLURM_CONF", str(conf))
    own = tmp_path / "spool-cn02" / "containers" / str(os.geteuid())
    for kind, name, of in (("images", "a" * 40, "docker://ubuntu:24.04"), ("images", "b" * 40, "/x.sqsh"), ("named", "mine", "/x.sqsh")):
        (own / kind / name / "root" / "bin").mkdir(parents=True)
        (own / kind / name / "facts").write_text(json.dumps({"of": of}))
    assert slurm.main(["image", "list"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[:-1] for row in rows[1:]] == [["cn02", "docker://ubuntu:24.04", "a" * 12], ["cn02", "/x.sqsh", "b" * 12], ["cn02", "/x.sqsh", "mine"]]
    with open(own / "images" / ("b" * 40) / "lock", "w") as used:
        fcntl.flock(used, fcntl.LOCK_SH)
        assert slurm.main(["image", "rm", "bbbbbb", "docker://ubuntu:24.04"]) == 1
    assert capsys.readouterr().out == "1 removed\n"
    assert slurm.main(["image", "rm", "nothing"]) == 1
    assert "there is no image or container nothing" in capsys.readouterr().err
    assert slurm.main(["image", "rm", "--all", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["removed"]) == 2
    assert not (own / "named" / "mine" / "root").exists()
