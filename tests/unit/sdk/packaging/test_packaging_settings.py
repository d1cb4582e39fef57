"""What may be said about packaging, and what it comes to for a call."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from slurm.sdk.cluster import Cluster
from slurm.sdk.decorators import task, workflow
from slurm.sdk.errors import InvalidOption
from slurm.sdk.packaging.settings import KEYS, checked, effective


@pytest.mark.parametrize(("said", "meant"), [
    (None, {"type": "auto"}),
    ("wheel", {"type": "wheel"}),
    ("container:docker.io/python:3.11", {"type": "container", "image": "docker.io/python:3.11"}),
    ("container", {"type": "container"}),
    ("ghcr.io/lab/tool:2", {"type": "container", "image": "ghcr.io/lab/tool:2"}),
    ({"type": "wheel", "extras": "gpu"}, {"type": "wheel", "extras": ["gpu"]}),
    ({"image": "a/b"}, {"type": "auto", "image": "a/b"}),
])
def test_a_kind_an_image_or_a_table_is_understood(said: object, meant: dict[str, Any]) -> None:
    assert checked(said) == meant


@pytest.mark.parametrize(("said", "keywords", "answer"), [
    ("weel", {}, "'weel' is unknown; valid: auto, none, inherit, wheel, container, container:IMAGE"),
    ("wheel", {"extra": "x"}, "packaging_extra is unknown; did you mean packaging_extras"),
    ("wheel", {"image": "x"}, "packaging_image is for packaging='container', not for 'wheel'"),
    ("none", {"dependencies": ["x"]}, "packaging_dependencies is for packaging='wheel'"),
    ("wheel", {"upgrade_pip": "perhaps"}, "'perhaps' is not True or False"),
    ("wheel", {"dependencies": 3}, "3 is not a text or a list of texts"),
    ("wheel", {"build_tool": "poetry"}, "'poetry' is unknown; valid: uv, build, pip"),
    ("container:x", {"runtime": "lxc"}, "valid: pyxis, apptainer, singularity, podman, docker"),
    (7, {}, "no text and no table"),
])
def test_what_is_wrong_is_refused_with_what_would_be_valid(said: object, keywords: dict[str, object], answer: str) -> None:
    with pytest.raises(InvalidOption) as refused:
        checked(said, keywords)
    assert answer in str(refused.value)


def test_a_task_takes_its_packaging_in_every_place_where_it_takes_options() -> None:
    made = task(packaging="wheel", packaging_extras=["gpu"], mem="1G")(len)
    assert made.packaging == {"type": "wheel", "extras": ["gpu"]} and "packaging" not in " ".join(made.sbatch_options)
    assert made.with_options(packaging_upgrade_pip=True).packaging == {"type": "wheel", "extras": ["gpu"], "upgrade_pip": True}
    assert made.with_options(packaging_extras=None).packaging == {"type": "wheel"}
    assert made.with_options(packaging="none").packaging == {"type": "none"}
    assert workflow(packaging="none")(len).packaging == {"type": "none"}
    with pytest.raises(InvalidOption, match="with_options of len: packaging_image is for"):
        made.with_options(packaging_image="x")


def test_a_cluster_says_what_tasks_leave_open() -> None:
    assert effective({"type": "auto"}, {}) == {"type": "auto"}
    assert effective({"type": "auto", "extras": ["a"]}, {"type": "wheel", "upgrade_pip": True}) == {"type": "wheel", "upgrade_pip": True, "extras": ["a"]}
    assert effective({"type": "none"}, {"type": "wheel", "extras": ["a"]}) == {"type": "none"}
    assert effective({"type": "container", "image": "x"}, {"type": "auto", "registry": "r", "extras": ["a"]}) == {"type": "container", "image": "x", "registry": "r"}


def test_keys_that_only_one_kind_has_choose_it() -> None:
    assert effective({"type": "auto", "dependencies": ["numpy"]}, {})["type"] == "wheel"
    assert effective({"type": "auto", "image": "x"}, {})["type"] == "container"
    assert effective({"type": "auto", "python_executable": "python3"}, {})["type"] == "auto"
    with pytest.raises(InvalidOption, match="packaging_extras is for packaging='wheel', not for 'container'"):
        effective({"type": "auto", "image": "x", "extras": ["y"]}, {})


def test_the_words_of_a_cluster_are_checked_when_it_is_made(tmp_path: Any) -> None:
    cluster = Cluster("inline", job_base_dir=tmp_path, default_packaging="wheel", default_packaging_extras="gpu")
    assert cluster.packaging_defaults == {"type": "wheel", "extras": ["gpu"]} and cluster.default_packaging_kwargs == {"extras": "gpu"}
    with pytest.raises(InvalidOption, match="Cluster: default: packaging_push is for packaging='container'"):
        Cluster("inline", default_packaging="wheel", default_packaging_push=True)


def test_every_key_has_a_reader_that_refuses_nonsense() -> None:
    for kind, keys in KEYS.items():
        for key in keys:
            with pytest.raises(InvalidOption):
                checked(kind, {key: object()})


def test_a_slurmfile_and_a_command_line_speak_of_packaging(tmp_path: Any) -> None:
    (tmp_path / "Slurmfile.toml").write_text(
        '[default.cluster]\nbackend = "inline"\n[default.packaging]\ntype = "wheel"\nextras = ["gpu"]\n[lab.packaging]\ntype = "container:a/b:1"\nextras = []\n')
    assert Cluster.from_env(tmp_path / "Slurmfile.toml").packaging_defaults == {"type": "wheel", "extras": ["gpu"]}
    with pytest.raises(InvalidOption, match="packaging_extras is for packaging='wheel', not for 'container'"):
        Cluster.from_env(tmp_path / "Slurmfile.toml", env="lab")
    parser = argparse.ArgumentParser()
    Cluster.add_argparse_args(parser)
    args = parser.parse_args(["--backend", "inline", "--packaging", "container:x", "--packaging-registry", "ghcr.io/lab", "--packaging-tls-verify", "false"])
    assert Cluster.from_args(args).packaging_defaults == {"type": "container", "image": "x", "registry": "ghcr.io/lab", "tls_verify": False}
    assert args.packaging_tls_verify is False
    usual = parser.parse_args(["--backend", "inline"])
    assert (usual.packaging, usual.packaging_tls_verify, Cluster.from_args(usual).packaging_defaults) == ("auto", True, {})
    with pytest.raises(SystemExit):
        parser.parse_args(["--packaging-tls-verify", "perhaps"])


def test_what_submit_says_is_packaging_and_no_option_of_sbatch(tmp_path: Any) -> None:
    cluster = Cluster("inline", job_base_dir=tmp_path)
    for said in (cluster.submit(task(len), packaging="none"), cluster.submit(task(len), packaging_config={"type": "none"})):
        assert said.task.packaging == {"type": "none"} and "packaging" not in said.task.sbatch_options
        assert said("four").result() == 4
