"""Host lists, against what Slurm's scontrol prints for them."""

import pytest

from slurm.notation import hostlist
from slurm.notation.errors import NotationError


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("cn[01-03,07],gpu5", ["cn01", "cn02", "cn03", "cn07", "gpu5"]),
        ("rack[0-1]node[0-1]", ["rack0node0", "rack0node1", "rack1node0", "rack1node1"]),
        ("a[1-3]-ib", ["a1-ib", "a2-ib", "a3-ib"]),
        ("cn[01-3]", ["cn01", "cn02", "cn03"]),
        ("cn[1-03]", ["cn1", "cn2", "cn3"]),
        ("a[08-11]", ["a08", "a09", "a10", "a11"]),
        ("[1-2]", ["1", "2"]),
        ("a,,b", ["a", "b"]),
        ("cn01, cn02\n cn03", ["cn01", "cn02", "cn03"]),
        ("a[1, 2]", ["a1", "a2"]),
        ("", []),
    ],
)
def test_a_host_list_expands_in_its_order(text: str, hosts: list[str]) -> None:
    assert hostlist.expand(text) == hosts
    assert hostlist.count(text) == len(hosts)


def test_the_node_range_of_the_seed_configuration_expands_to_its_32_nodes() -> None:
    hosts = hostlist.expand("lambda-gpu-[001-032]")
    assert len(hosts) == 32
    assert (hosts[0], hosts[-1]) == ("lambda-gpu-001", "lambda-gpu-032")
    assert hostlist.compress(hosts) == "lambda-gpu-[001-032]"


@pytest.mark.parametrize("text", ["cn[3-1]", "a[", "a]", "a[]", "a[x]", "a[1-]", "a[[1]]", "a[-1]", "a[1-2-3]", "a[1]b["])
def test_a_malformed_bracket_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(NotationError) as caught:
        hostlist.expand(text)
    assert caught.value.position is not None
    assert "valid:" in str(caught.value)


@pytest.mark.parametrize("text", ["cn[0-1000000]", "a[0-999]b[0-999]c[0-9]", "n[0-999999999999999999]"])
def test_more_than_a_million_hosts_are_refused_before_they_are_made(text: str) -> None:
    with pytest.raises(NotationError, match="more than 1000000 hosts"):
        hostlist.expand(text)


@pytest.mark.parametrize(
    ("hosts", "as_given", "in_order"),
    [
        ("cn01,cn02,cn03,gpu5", "cn[01-03],gpu5", "cn[01-03],gpu5"),
        ("cn3,cn1", "cn[3,1]", "cn[1,3]"),
        ("cn1,cn1,cn2", "cn[1,1-2]", "cn[1,1-2]"),
        ("cn9,cn10", "cn[9-10]", "cn[9-10]"),
        ("cn09,cn10", "cn[09-10]", "cn[09-10]"),
        ("cn99,cn100", "cn[99-100]", "cn[99-100]"),
        ("cn9,cn010", "cn[9,010]", "cn[9,010]"),
        ("rack0node0,rack0node1,rack1node0", "rack0node[0-1],rack1node0", "rack0node[0-1],rack1node0"),
        ("a1-ib,a2-ib", "a1-ib,a2-ib", "a1-ib,a2-ib"),
        ("cn1,x,cn2", "cn1,x,cn2", "cn[1-2],x"),
        ("cn01,cn1,cn02", "cn[01,1,02]", "cn[1,01-02]"),
        ("1,2,3", "[1-3]", "[1-3]"),
        ("n5,n4,n3", "n[5,4,3]", "n[3-5]"),
        ("a,a", "a,a", "a,a"),
        ("b1,b2,a1,a2,b3", "b[1-2],a[1-2],b3", "a[1-2],b[1-3]"),
        ("cn1,cn002,cn3", "cn[1,002,3]", "cn[1,3,002]"),
        ("cn08,cn9,cn10", "cn[08,9-10]", "cn[9-10,08]"),
        ("cn100,cn20,cn3", "cn[100,20,3]", "cn[3,20,100]"),
        ("b1,a10,ab,a,a2", "b1,a10,ab,a,a2", "a,a[2,10],ab,b1"),
    ],
)
def test_hosts_are_compressed_as_scontrol_show_hostlist_and_hostlistsorted_do(hosts: str, as_given: str, in_order: str) -> None:
    names = hosts.split(",")
    assert hostlist.compress(names) == as_given
    assert hostlist.compress(names, sort=True) == in_order


def test_hosts_sort_by_number_and_not_by_digits() -> None:
    assert sorted(["cn10", "cn2", "a", "cn01", "rack1n10", "rack1n9"], key=hostlist.sort_key) == [
        "a",
        "cn01",
        "cn2",
        "cn10",
        "rack1n9",
        "rack1n10",
    ]
