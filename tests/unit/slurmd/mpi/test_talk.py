"""PMI-1 and PMI-2 as MPICH and libpmi2 were seen to speak them, and what nobody should."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm.slurmd.stepd.mpi.exchange import Collected, pieces
from slurm.slurmd.stepd.mpi.group import MOST_WAITING, Facts, Group
from slurm.slurmd.stepd.mpi.layout import parse
from slurm.slurmd.stepd.mpi.notation import LONGEST, Malformed, parse_line, parse_packet
from slurm.slurmd.stepd.mpi.talk import Talk

INIT_1 = b"cmd=init pmi_version=1 pmi_subversion=1\n"
INIT_2 = b"cmd=init pmi_version=2 pmi_subversion=0\n"


class Node:
    """One node of a step, with what its tasks were answered."""

    def __init__(self, places: dict[str, str], size: int, local: tuple[int, ...]) -> None:
        self.given: list[bytes] = []
        self.aborts: list[tuple[int, int, str]] = []
        self.group = Group(Facts("7.0", parse(places.items(), size), local), self.given.append, lambda *why: self.aborts.append(why))
        self.answers: dict[int, list[bytes]] = {rank: [] for rank in local}
        self.talks = {rank: Talk(rank, self.group, self.answers[rank].append) for rank in local}

    def ask(self, rank: int, data: bytes) -> bytes:
        """Say this and return what it is answered at once."""
        self.answers[rank].clear()
        self.talks[rank].take(data)
        return b"".join(self.answers[rank])


def two_nodes() -> tuple[Node, Node]:
    places = {"n0": "0-1", "n1": "2"}
    return Node(places, 3, (0, 1)), Node(places, 3, (2,))


def packet(text: str) -> bytes:
    """A request as libpmi2 writes it: the length flush left."""
    return b"%-6d%s" % (len(text), text.encode())


def test_mpich_begins_as_it_does_under_hydra() -> None:
    node, _ = two_nodes()
    assert node.ask(0, INIT_1) == b"cmd=response_to_init pmi_version=1 pmi_subversion=1 rc=0\n"
    assert node.ask(0, b"cmd=get_maxes\n") == b"cmd=maxes kvsname_max=256 keylen_max=64 vallen_max=1024\n"
    assert node.ask(0, b"cmd=get_appnum\ncmd=get_my_kvsname\n") == b"cmd=appnum appnum=0\ncmd=my_kvsname kvsname=7.0\n"
    assert node.ask(0, b"cmd=get kvsname=7.0 key=PMI_process_mapping\n") == b"cmd=get_result rc=0 msg=success value=(vector,(0,1,2),(1,1,1))\n"
    assert node.ask(0, b"cmd=get_universe_size\n") == b"cmd=universe_size size=3\n"
    assert node.ask(0, b"cmd=get kvsname=7.0 key=absent\n").startswith(b"cmd=get_result rc=-1 ")
    assert node.ask(0, b"cmd=finalize\n").startswith(b"cmd=finalize_ack")


def test_values_are_everywhere_after_a_barrier_and_nobody_leaves_it_before_the_last() -> None:
    first, second = two_nodes()
    for node, rank in ((first, 0), (first, 1), (second, 2)):
        node.ask(rank, INIT_1)
        assert node.ask(rank, f"cmd=put kvsname=7.0 key=k{rank} value=a b=c {rank}\n".encode()) == b"cmd=put_result rc=0 msg=success\n"
    assert first.ask(0, b"cmd=barrier_in\n") == b"" and first.given == []
    assert second.ask(2, b"cmd=barrier_in\n") == b"" and len(second.given) == 1
    assert first.ask(1, b"cmd=barrier_in\n") == b"" and len(first.given) == 1
    everything = first.given[0] + second.given[0]
    for node in (first, second):
        node.group.exchanged(everything)
    assert [first.answers[0], first.answers[1], second.answers[2]] == [[b"cmd=barrier_out rc=0\n"]] * 3
    assert first.ask(0, b"cmd=get kvsname=7.0 key=k2\n") == b"cmd=get_result rc=0 msg=success value=a b=c 2\n"
    assert second.ask(2, b"cmd=get kvsname=7.0 key=k1\n") == b"cmd=get_result rc=0 msg=success value=a b=c 1\n"


def test_pmi_2_speaks_in_packets_after_the_first_line() -> None:
    node = Node({"n0": "0-1"}, 2, (0, 1))
    assert node.ask(0, INIT_2) == b"cmd=response_to_init pmi_version=2 pmi_subversion=0 rc=0\n"
    begun = node.ask(0, packet("cmd=fullinit;pmijobid=7.0;pmirank=0;threaded=FALSE;"))
    assert begun[6:].startswith(b"cmd=fullinit-response;") and b";rank=0;size=2;" in begun and int(begun[:6]) == len(begun) - 6
    assert node.ask(0, packet("cmd=job-getid;thrid=5;"))[6:] == b"cmd=job-getid-response;thrid=5;jobid=7.0;rc=0;"
    assert node.ask(0, packet("cmd=kvs-put;key=k;value=a;;b;"))[6:] == b"cmd=kvs-put-response;rc=0;"
    assert node.ask(0, packet("cmd=kvs-fence;")) == b""
    node.ask(1, INIT_2)
    node.ask(1, packet("cmd=kvs-fence;"))
    node.group.exchanged(node.given[0])
    assert node.answers[0][0][6:] == b"cmd=kvs-fence-response;rc=0;"
    assert node.ask(1, packet("cmd=kvs-get;jobid=7.0;srcid=-1;key=k;"))[6:] == b"cmd=kvs-get-response;found=TRUE;value=a;;b;rc=0;"
    assert b"found=FALSE" in node.ask(1, packet("cmd=kvs-get;jobid=7.0;srcid=-1;key=other;"))
    assert b"errmsg=" in node.ask(1, packet("cmd=kvs-get;jobid=8.0;srcid=-1;key=k;"))
    assert b"value=(vector,(0,1,2));" in node.ask(1, packet("cmd=info-getjobattr;key=PMI_process_mapping;"))


def test_who_waits_for_an_attribute_of_the_node_gets_it_when_it_is_put() -> None:
    node = Node({"n0": "0-1"}, 2, (0, 1))
    node.ask(0, INIT_2)
    node.ask(1, INIT_2)
    assert b"found=FALSE" in node.ask(0, packet("cmd=info-getnodeattr;key=a;wait=FALSE;"))
    assert node.ask(0, packet("cmd=info-getnodeattr;key=a;wait=TRUE;")) == b""
    node.ask(1, packet("cmd=info-putnodeattr;key=a;value=b;"))
    assert b"found=TRUE;value=b;" in node.answers[0][0]
    with pytest.raises(Malformed, match="wait"):
        node.ask(0, packet("cmd=info-getnodeattr;key=c;wait=TRUE;") * (MOST_WAITING + 1))


@pytest.mark.parametrize("command", ["spawn", "name-publish", "name-unpublish", "name-lookup", "job-connect", "ring", "surprise"])
def test_what_pmi_2_cannot_do_here_is_refused_with_a_sentence(command: str) -> None:
    node = Node({"n0": "0"}, 1, (0,))
    node.ask(0, INIT_2)
    told = node.ask(0, packet(f"cmd={command};"))
    assert f"cmd={command}-response;rc=1;errmsg=".encode() in told and b"slurm-py" in told or b"not started by" in told


@pytest.mark.parametrize("request_", ["cmd=publish_name service=a port=b c\n", "cmd=lookup_name service=a\n", "mcmd=spawn\nnprocs=1\nexecname=a\nendcmd\n"])
def test_what_pmi_1_cannot_do_here_is_refused_with_a_sentence(request_: str) -> None:
    node = Node({"n0": "0"}, 1, (0,))
    node.ask(0, INIT_1)
    assert b" rc=-1 msg=slurm-py_" in node.ask(0, request_.encode())


def test_an_abort_is_heard_with_its_code_and_nothing_after_it() -> None:
    node = Node({"n0": "0-1"}, 2, (0, 1))
    node.ask(0, INIT_1)
    assert node.ask(0, b"cmd=abort exitcode=3\ncmd=get_maxes\n") == b""
    node.ask(1, INIT_2)
    node.ask(1, packet("cmd=abort;isworld=TRUE;msg=enough;"))
    assert node.aborts == [(0, 3, ""), (1, 1, "enough")]


@pytest.mark.parametrize("forged", [
    b"cmd=get_maxes\n", INIT_1 + b"no command\n", INIT_1 + b"cmd=dance\n", INIT_1 + b"cmd=put key=a\n", INIT_1 + b"cmd=abort exitcode=many\n",
    INIT_1 + b"cmd=abort exitcode=99999999999999999999\n", b"x" * LONGEST, INIT_1 + b"cmd=put key=" + b"k" * LONGEST, INIT_1 + b"mcmd=spawn\n" + b"a=b\n" * LONGEST,
    INIT_2 + b"abcdef", INIT_2 + b"999999", INIT_2 + b"    -1", INIT_2 + packet("a;b;"), INIT_2 + packet("cmd=fullinit;pmirank=1;"), INIT_2 + packet("a=b;" * 5_000),
    INIT_1 + b"cmd=barrier_in\ncmd=barrier_in\n", "cmd=init pmi_version=\u0663 pmi_subversion=0\n".encode("utf-8"),
])
def test_what_is_no_request_ends_the_conversation(forged: bytes) -> None:
    node = Node({"n0": "0-1"}, 2, (0, 1))
    with pytest.raises(Malformed):
        node.ask(0, forged)


def test_a_step_can_fill_no_more_memory_than_its_bound() -> None:
    node = Node({"n0": "0"}, 1, (0,))
    node.ask(0, INIT_1)
    assert b"rc=-1" in node.ask(0, b"cmd=put kvsname=7.0 key=k value=" + b"v" * 1025 + b"\n")
    taken = 0
    while b"rc=0" in node.ask(0, b"cmd=put kvsname=7.0 key=k%d value=\n" % taken):
        taken += 1
    assert 100_000 < taken < 200_000
    node.ask(0, b"cmd=barrier_in\n")
    node.group.exchanged(node.given[0])
    assert b"rc=-1" in node.ask(0, b"cmd=put kvsname=7.0 key=another value=" + b"v" * 100 + b"\n")


def test_attributes_of_a_node_are_bounded_through_every_fence() -> None:
    node = Node({"n0": "0"}, 1, (0,))
    put = packet(f"cmd=info-putnodeattr;key={'k' * 64};value={'v' * 1024};")
    node.ask(0, INIT_2)
    taken = 0
    while b"rc=0" in node.ask(0, put):
        taken += 1
        if taken % 5_000 == 0:
            node.ask(0, packet("cmd=kvs-fence;"))
            node.group.exchanged(node.given[-1])
    assert 10_000 < taken < 20_000


@pytest.mark.parametrize("field", ["key", "thrid"])
def test_a_request_that_waits_is_kept_without_what_it_could_be_filled_with(field: str) -> None:
    node = Node({"n0": "0"}, 1, (0,))
    node.ask(0, INIT_2)
    with pytest.raises(Malformed):
        node.ask(0, packet(f"cmd=info-getnodeattr;wait=TRUE;{field}={'x' * 60_000};" + ("key=k;" if field != "key" else "")))


@pytest.mark.parametrize("body", [
    b"[" * 200_000, b'{"a":' * 100_000, b'{"a":"b"', b'{"a":"b",}', b'{"a":"b","c"}', b'{"a":["b"]}', b'{"a":1}', b"{,}", b"", b"[]",
    b'{"a":"\\u4e00"}', '{"a":"\u00e9"}'.encode(), b'{"a":"' + b"v" * 1025 + b'"}',
    b"{" + b",".join(b'"%d":""' % key for key in range(200_000)) + b"}"], ids=range(14))
def test_what_nodes_are_said_to_have_given_is_refused_where_it_would_fill_memory_or_is_none(body: bytes) -> None:
    node = Node({"n0": "0"}, 1, (0,))
    node.ask(0, INIT_1 + b"cmd=barrier_in\n")
    with pytest.raises(ValueError, match=r"."):
        node.group.exchanged(struct.pack("!I", len(body)) + body)


def test_values_that_are_put_again_at_each_fence_do_not_add_up() -> None:
    node = Node({"n0": "0"}, 1, (0,))
    node.ask(0, INIT_1)
    for _ in range(4):
        for key in range(5_000):
            assert b"rc=0" in node.ask(0, b"cmd=put kvsname=7.0 key=k%d value=%s\n" % (key, b"v" * 1000))
        node.ask(0, b"cmd=barrier_in\n")
        node.group.exchanged(node.given.pop())


def test_pieces_that_never_end_are_refused() -> None:
    collected = Collected()
    with pytest.raises(ValueError, match="more than 32 MiB"):
        for _ in range(40):
            collected.take(b"P" + bytes(1 << 20))


@given(st.lists(st.one_of(st.binary(max_size=200), st.sampled_from([INIT_1, INIT_2, b"cmd=barrier_in\n", packet("cmd=kvs-fence;"), b"\n", b";;", b"mcmd=spawn\n"])), max_size=12))
def test_bytes_at_random_are_answered_or_called_malformed(data: list[bytes]) -> None:
    node = Node({"n0": "0"}, 1, (0,))
    try:
        for part in data:
            node.ask(0, part)
    except Malformed as error:
        assert len(str(error)) < 200


@given(st.binary(max_size=400), st.integers(1, 50))
def test_requests_mean_the_same_in_whatever_pieces_they_come(noise: bytes, size: int) -> None:
    whole = INIT_2 + packet("cmd=kvs-put;key=k;value=v;") + packet("cmd=kvs-get;key=k;") + noise
    told = []
    for step in (size, len(whole)):
        node = Node({"n0": "0"}, 1, (0,))
        heard: list[bytes] = []
        try:
            for start in range(0, len(whole), step):
                heard.append(node.ask(0, whole[start:start + step]))
        except Malformed:
            heard.append(b"".join(node.answers[0]))
        told.append(b"".join(heard))
    assert told[0] == told[1]


@given(st.text(st.characters(codec="latin-1"), max_size=40))
def test_a_value_is_read_as_it_was_written(value: str) -> None:
    assert parse_packet("cmd=kvs-put;value=" + value.replace("\0", "").replace(";", ";;") + ";").get("value") == value.replace("\0", "")
    if "\n" not in value:
        assert parse_line(f"cmd=put value={value.rstrip(' ')}").get("value") == value.rstrip(" ")


@given(st.binary(max_size=200_000))
def test_an_exchange_comes_together_from_its_pieces(whole: bytes) -> None:
    collected = Collected()
    found = [collected.take(piece) for piece in pieces(whole)]
    assert found[-1] == whole and set(found[:-1]) <= {None}


@given(st.binary(max_size=300))
def test_a_damaged_exchange_is_a_value_error(whole: bytes) -> None:
    node = Node({"n0": "0"}, 1, (0,))
    node.ask(0, INIT_1 + b"cmd=barrier_in\n")
    try:
        node.group.exchanged(whole)
    except ValueError:
        return
    assert whole == b"" or len(whole) >= 4
