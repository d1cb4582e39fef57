"""gres.conf: the devices behind a node's Gres=."""

import pytest

from slurm.config.config import Config, parse
from slurm.config.gres import Wanted, read_wanted
from slurm.model.errors import ConfigError


def conf_of(gres: str, wanted: str = "gpu:2", types: str = "gpu,shard,license,mps") -> Config:
    return parse(f"SlurmctldHost=h\nGresTypes={types}\nNodeName=a[1-2] Gres={wanted}\nPartitionName=p Nodes=ALL\n", gres=gres)


def devices(gres: str, wanted: str = "gpu:2", node: str = "a1") -> list[tuple[str, str, str, int, int]]:
    return [(d.name, d.type, d.file, d.index, d.count) for d in conf_of(gres, wanted).devices(node)]


@pytest.mark.parametrize(("text", "parts"), [
    ("gpu", [Wanted("gpu", "", 1)]),
    ("gpu:2", [Wanted("gpu", "", 2)]),
    ("gpu:a100:2,shard:8", [Wanted("gpu", "a100", 2), Wanted("shard", "", 8)]),
    ("gpu:a100", [Wanted("gpu", "a100", 1)]),
    ("bandwidth:lustre:no_consume:4G", [Wanted("bandwidth", "lustre", 4 << 30, False)]),
])
def test_the_gres_of_a_node_are_read_part_by_part(text: str, parts: list[Wanted]) -> None:
    assert read_wanted(text) == parts


def test_a_gres_without_a_count_at_its_end_is_refused() -> None:
    with pytest.raises(ValueError, match="does not end in a count"):
        read_wanted("gpu:a100:many")


def test_files_are_expanded_in_order_of_the_lines() -> None:
    assert devices("Name=gpu Type=a File=/dev/nvidia[0-1]\nName=gpu Type=b File=/dev/nvidia2\n", "gpu:a:2,gpu:b:1") == [
        ("gpu", "a", "/dev/nvidia0", 0, 1), ("gpu", "a", "/dev/nvidia1", 1, 1), ("gpu", "b", "/dev/nvidia2", 2, 1)]


def test_a_line_is_for_the_nodes_it_names() -> None:
    text = "NodeName=a1 Name=gpu File=/dev/nvidia[0-1] Cores=0-3\nNodeName=a2 Name=gpu File=/dev/nvidia[4-5] CPUs=0,2\n"
    assert [d[2] for d in devices(text)] == ["/dev/nvidia0", "/dev/nvidia1"]
    assert [d[2] for d in devices(text, node="a2")] == ["/dev/nvidia4", "/dev/nvidia5"]
    assert [conf_of(text).devices(node)[0].cores for node in ("a1", "a2")] == [[0, 1, 2, 3], [0, 2]]


def test_a_typed_line_serves_an_untyped_gres_and_gives_it_its_type() -> None:
    assert devices("Name=gpu Type=a File=/dev/nvidia[0-1]") == [("gpu", "a", "/dev/nvidia0", 0, 1), ("gpu", "a", "/dev/nvidia1", 1, 1)]


def test_gpus_without_a_file_are_still_told_apart() -> None:
    assert devices("") == [("gpu", "", "", 0, 1), ("gpu", "", "", 1, 1)]


def test_a_resource_without_files_is_one_heap() -> None:
    assert devices("Name=license Count=10", "license:10") == [("license", "", "", 0, 10)]


def test_shared_resources_count_for_each_file() -> None:
    assert devices("Name=shard Count=4 File=/dev/nvidia[0-1]", "shard:8") == [
        ("shard", "", "/dev/nvidia0", 0, 4), ("shard", "", "/dev/nvidia1", 1, 4)]


def test_several_files_may_be_one_device() -> None:
    assert devices("Name=gpu MultipleFiles=/dev/nvidia0,/dev/caps1", "gpu:1") == [("gpu", "", "/dev/nvidia0,/dev/caps1", 0, 1)]


def test_fewer_files_than_the_node_claims_are_a_warning_and_the_count_holds() -> None:
    conf = conf_of("Name=gpu File=/dev/nvidia0")
    assert conf.warnings == ["gres.conf:1: gres/gpu count of a1 lower than configured (1 < 2)",
                             "gres.conf:1: gres/gpu count of a2 lower than configured (1 < 2)"]
    assert len(conf.devices("a1")) == 2


def test_more_files_than_the_node_claims_are_left_alone() -> None:
    assert [d[2] for d in devices("Name=gpu File=/dev/nvidia[0-7]")] == ["/dev/nvidia0", "/dev/nvidia1"]


@pytest.mark.parametrize(("text", "said"), [
    ("File=/dev/nvidia0", "a line of gres.conf without Name"),
    ("Name=gpu Fil=/dev/nvidia0", "unrecognized key: Fil"),
    ("Name=gpu File=/dev/nvidia[0-3] Count=2", "Count=2, but File names 4"),
    ("Name=gpu File=/dev/nvidia[0-", "is no host list"),
    ("Name=gpu Cores=a-b", "Cores=a-b is no value for Cores"),
    ("Name=gpu File=/dev/a MultipleFiles=/dev/b", "mutually exclusive"),
])
def test_a_wrong_line_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        conf_of(text)
    assert caught.value.message.startswith("gres.conf:1: ")
    assert said in caught.value.message


def test_a_line_for_a_node_nobody_described_is_a_warning() -> None:
    assert conf_of("NodeName=b1 Name=gpu File=/dev/nvidia0").warnings == ["gres.conf:1: NodeName=b1 is no node of slurm.conf"]
