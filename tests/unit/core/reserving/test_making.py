"""`scontrol create|update|delete reservation`: what is made of the keys, and in which words they are refused."""

import pytest

from slurm.core.cluster import Cluster
from slurm.core.reserving import making
from slurm.model.errors import InvalidRequest, NotFound, NotNow, NotPermitted, SlurmError, Unsupported
from slurm.model.reservation import FLAGS
from slurm.notation import moment
from slurm.testing import builders as b

BASE = {"StartTime": "now+60minutes", "Duration": "60", "Users": "alice", "Nodes": "cn01"}


def refused(c: Cluster, **keys: str) -> SlurmError:
    with pytest.raises(SlurmError) as caught:
        making.create(c, keys, b.ROOT, b.People(), b.T0)
    return caught.value


def changed(c: Cluster, name: str, **keys: str) -> None:
    c.apply(making.update(c, name, {key.replace("_plus", "+").replace("_minus", "-"): text for key, text in keys.items()}, b.ROOT, b.People(), b.T0))


@pytest.mark.parametrize(("without", "keys", "message"), [
    ("StartTime", {}, "A start time must be given.  No reservation created."),
    ("Duration", {}, "An end time or duration must be given.  No reservation created."),
    ("Nodes", {}, "CoreCnt, Nodes, NodeCnt, BurstBuffer or Licenses must be specified.  No reservation created."),
    ("Users", {}, "Either Users/Groups and/or Accounts must be specified.  No reservation created."),
    ("", {"StartTime": "bogus"}, "Invalid start time StartTime=bogus.  No reservation created."),
    ("", {"EndTime": "bogus"}, "Invalid end time EndTime=bogus.  No reservation created."),
    ("", {"Duration": "bogus"}, "Invalid duration Duration=bogus.  No reservation created."),
    ("", {"Flags": "bogus"}, "Error parsing flags bogus.  No reservation created."),
    ("", {"Flags": "MAINT=5"}, "Error parsing flags MAINT=5.  No reservation created."),
    ("", {"bogus": "1"}, "Unknown parameter bogus=1.  No reservation created."),
    ("", {"Groups": "staff"}, "Users and Groups are mutually exclusive.  You can have one or the other, but not both.  No reservation created."),
    ("Duration", {"EndTime": "now"}, "Start time cannot be after end time.  No reservation created."),
    ("", {"Users": "nosuch"}, "Invalid user id"), ("", {"Users": "alice,-bob"}, "Invalid user id"),
    ("Users", {"Groups": "nosuch"}, "Invalid group id"), ("", {"Nodes": "cn99"}, "Invalid node name specified"),
    ("", {"PartitionName": "nosuch"}, "Invalid partition name specified"), ("", {"Features": "nosuch"}, "Invalid feature specification"),
    ("", {"StartTime": "1970-01-02"}, "Invalid time specified"),
    ("", {"Nodes": "cn01,cn02", "CoreCnt": "1"}, "Core count for reservation node list is not consistent!"),
    ("Nodes", {"NodeCnt": "9"}, "Requested nodes are busy"), ("", {"Flags": "REPLACE"}, "Invalid node name specified"),
    ("", {"Flags": "TIME_FLOAT,DAILY"}, "Requested operation not supported on this system"),
    ("", {"Flags": "DAILY,WEEKLY"}, "Requested operation not supported on this system"),
    ("", {"ReservationName": "a,b"}, "Requested reservation is invalid"),
])
def test_what_slurm_refuses_is_refused_in_its_words(without: str, keys: dict[str, str], message: str) -> None:
    asked = {key: text for key, text in BASE.items() if key != without} | keys
    assert refused(b.lab_cluster(), **asked).message == message


@pytest.mark.parametrize(("keys", "word"), [
    ({"BurstBuffer": "100GB"}, "BurstBuffer"), ({"Licenses": "matlab:2"}, "Licenses"), ({"TRES": "license/matlab=2"}, "license/matlab"), ({"Flags": "ANY_NODES"}, "ANY_NODES")])
def test_what_is_not_carried_out_is_refused_with_a_sentence(keys: dict[str, str], word: str) -> None:
    error = refused(b.lab_cluster(), **BASE, **keys)
    assert isinstance(error, Unsupported) and word in error.message


def test_a_second_of_the_same_name_is_refused() -> None:
    c = b.lab_cluster()
    b.reserve(c, "r", Nodes="cn01")
    assert refused(c, **BASE | {"ReservationName": "r", "Nodes": "cn02"}).message == "Duplicate reservation name"


def test_names_are_made_of_whom_it_is_for_and_a_number_that_counts_all() -> None:
    c = b.lab_cluster()
    names = [b.reserve(c, Nodes="cn01").name, b.reserve(c, "given", Nodes="cn02").name, b.reserve(c, Nodes="cn03", Users="-bob").name,
             b.reserve(c, Nodes="cn04", Groups="staff").name, b.reserve(c, Nodes="cn04", Accounts="physics", Flags="OVERLAP").name]
    assert names == ["alice_1", "given", "bob_3", "staff_4", "physics_5"]


def test_times_may_be_relative_ends_or_lengths_and_minutes_are_whole() -> None:
    c = b.lab_cluster()
    later = b.reserve(c, StartTime="now+60minutes", Nodes="cn01", Duration="1:30")
    assert (later.start, later.end) == (b.T0 + 3600, b.T0 + 3600 + 120)
    ending = b.reserve(c, StartTime="now", EndTime=moment.show(b.T0 + 5000), Nodes="cn02")
    assert (ending.start, ending.end) == (b.T0, b.T0 + 5000)
    endless = b.reserve(c, Nodes="cn03", Duration="UNLIMITED")
    assert endless.end - endless.start == 365 * 86400


def test_a_start_in_the_past_needs_force_start() -> None:
    c = b.lab_cluster()
    past = BASE | {"StartTime": moment.show(b.T0 - 1000), "Duration": "60"}
    error = refused(c, **past)
    assert error.message == "Invalid time specified" and "FORCE_START" in " ".join(error.hints)
    assert b.reserve(c, **past | {"Flags": "FORCE_START"}).start == b.T0 - 1000


@pytest.mark.parametrize(("keys", "nodes", "cores"), [
    ({"Nodes": "cn01,cn03"}, ["cn01", "cn03"], 32), ({"Nodes": "ALL"}, ["cn01", "cn02", "cn03", "cn04"], 64),
    ({"Nodes": "ALL", "PartitionName": "batch"}, ["cn01", "cn02", "cn03"], 48), ({"PartitionName": "gpu"}, ["cn04"], 16),
    ({"NodeCnt": "2"}, ["cn01", "cn02"], 32), ({"NodeCnt": "1", "Features": "gpu"}, ["cn04"], 16), ({"TRES": "node=3"}, ["cn01", "cn02", "cn03"], 48),
    ({"CoreCnt": "20"}, ["cn01", "cn02"], 20), ({"NodeCnt": "2", "CoreCnt": "4"}, ["cn01", "cn02"], 4), ({"TRES": "cpu=4"}, ["cn01"], 4),
    ({"Nodes": "cn01,cn02", "CoreCnt": "2,3"}, ["cn01", "cn02"], 5), ({"Nodes": "cn[01-02]", "TRES": "cpu=2,3"}, ["cn01", "cn02"], 5)])
def test_nodes_are_named_or_chosen_by_number(keys: dict[str, str], nodes: list[str], cores: int) -> None:
    made = b.reserve(b.lab_cluster(), **keys)
    assert (made.nodes, made.cores) == (nodes, cores)
    assert sum(len(cpus) for cpus in made.cpus.values()) in (0, cores)
    assert ("SPEC_NODES" in made.flags) == ("Nodes" in keys or "NodeCnt" not in keys and "CoreCnt" not in keys and "TRES" not in keys)


def test_nodes_that_another_reservation_has_are_not_chosen_and_naming_them_is_refused() -> None:
    c = b.lab_cluster()
    b.reserve(c, "first", Nodes="cn01")
    assert b.reserve(c, "second", NodeCnt="1").nodes == ["cn02"]
    assert refused(c, **BASE | {"StartTime": "now+30minutes"}).message == "Requested reservation overlaps with another reservation"
    assert b.reserve(c, "after", StartTime="now+60minutes", Nodes="cn01").nodes == ["cn01"]
    assert b.reserve(c, "mends", Nodes="ALL", Flags="MAINT").nodes == ["cn01", "cn02", "cn03", "cn04"]


def test_reservations_that_repeat_collide_with_what_lies_in_a_later_week() -> None:
    c = b.lab_cluster()
    b.reserve(c, "weekly", Nodes="cn01", Flags="WEEKLY")
    assert refused(c, **BASE | {"StartTime": "now+21days"}).message == "Requested reservation overlaps with another reservation"


def test_nodes_where_jobs_run_beyond_the_start_are_busy_unless_jobs_are_ignored() -> None:
    c = b.lab_cluster()
    b.started(c, "cn01", time_limit=7200, partition="batch")
    assert refused(c, **BASE).message == "Requested nodes are busy"
    assert b.reserve(c, "beside", NodeCnt="3", PartitionName="debug").nodes == ["cn02", "cn03", "cn04"]
    assert b.reserve(c, "later", StartTime="now+120minutes", Nodes="cn01").nodes == ["cn01"]
    assert b.reserve(c, "mends", Nodes="cn01", Flags="MAINT,IGNORE_JOBS").nodes == ["cn01"]


def test_cores_of_one_node_can_be_reserved_twice_as_long_as_they_are_others() -> None:
    c = b.lab_cluster()
    one, two = b.reserve(c, Nodes="cn01", CoreCnt="4"), b.reserve(c, Nodes="cn01", CoreCnt="8")
    assert one.cpus[one.nodes[0]].isdisjoint(two.cpus[two.nodes[0]])
    assert refused(c, **BASE | {"StartTime": "now", "CoreCnt": "8"}).message == "Requested nodes are busy"


def test_flags_stand_in_slurms_order_whatever_the_order_in_which_they_are_written() -> None:
    made = b.reserve(b.lab_cluster(), NodeCnt="1", Flags="purge_comp=10:00,replace_down,magnetic,no_hold_jobs_after,flex,daily")
    assert made.flags == ["FLEX", "DAILY", "REPLACE_DOWN", "PURGE_COMP", "NO_HOLD_JOBS_AFTER_END", "MAGNETIC"] and made.purge_after == 600


@pytest.mark.parametrize("word", [word for flag in FLAGS if flag.asked and flag.shown != "ANY_NODES" for word in flag.words])
def test_every_flag_word_is_taken(word: str) -> None:
    made = b.reserve(b.lab_cluster(), **{"NodeCnt": "1", "Flags": word} | ({"Nodes": "ALL", "PartitionName": "batch", "NodeCnt": "3"} if word == "PART_NODES" else {}))
    assert any(flag.shown in made.flags for flag in FLAGS if word in flag.words)


def test_only_operators_make_and_change_reservations() -> None:
    c = b.lab_cluster()
    b.reserve(c, "r", Nodes="cn01")
    for attempt in (lambda: making.create(c, BASE, b.BOB, b.People(), b.T0), lambda: making.update(c, "r", {"Duration": "5"}, b.ALICE, b.People(), b.T0),
                    lambda: making.delete(c, "r", b.ALICE, b.T0), lambda: making.delete(c, "nosuch", b.ALICE, b.T0)):
        with pytest.raises(NotPermitted, match="Invalid user id"):
            attempt()


def test_with_user_delete_those_who_may_use_it_may_delete_it() -> None:
    c = b.lab_cluster()
    b.reserve(c, "r", Nodes="cn01", Flags="USER_DELETE")
    with pytest.raises(NotPermitted):
        making.delete(c, "r", b.BOB, b.T0)
    c.apply(making.delete(c, "r", b.ALICE, b.T0))
    assert not c.reservations


def test_one_that_is_used_or_waited_for_is_not_deleted() -> None:
    c = b.lab_cluster()
    b.reserve(c, "r", StartTime="now+60minutes", Nodes="cn01")
    job = b.submit(c, reservation="r")
    with pytest.raises(NotNow, match="Requested reservation is in use") as caught:
        making.delete(c, "r", b.ROOT, b.T0)
    assert str(job.id) in caught.value.hints[0]


def test_a_near_miss_is_named_when_a_reservation_is_unknown() -> None:
    c = b.lab_cluster()
    b.reserve(c, "maintenance", Nodes="ALL", Flags="MAINT")
    with pytest.raises(NotFound, match="Requested reservation is invalid") as caught:
        making.delete(c, "maintain", b.ROOT, b.T0)
    assert any("maintenance" in hint for hint in caught.value.hints)


def test_what_an_update_does_not_name_stays() -> None:
    c = b.lab_cluster()
    made = b.reserve(c, "r", StartTime="now+60minutes", Nodes="cn03")
    changed(c, "r", Users_plus="bob", Flags="DAILY")
    after = c.reservations["r"]
    assert (after.users, after.flags, after.start, after.end) == (["alice", "bob"], ["DAILY", "SPEC_NODES"], made.start, made.end)
    changed(c, "r", Users_minus="alice", Nodes="cn03,cn04", Duration_plus="30", Flags_minus="DAILY")
    after = c.reservations["r"]
    assert (after.users, after.nodes, after.end - after.start, after.flags) == (["bob"], ["cn03", "cn04"], 5400, ["SPEC_NODES"])
    changed(c, "r", NodeCnt="1")
    assert c.reservations["r"].nodes == ["cn03"]
    changed(c, "r", StartTime="now+120minutes")
    assert (c.reservations["r"].start, c.reservations["r"].end) == (b.T0 + 7200, b.T0 + 7200 + 5400)


@pytest.mark.parametrize(("keys", "kind", "message"), [
    ({"StartTime": "now+60minutes"}, NotNow, "Reservation already started"), ({"Users": ""}, InvalidRequest, "Reservation request lacks users, groups or accounts"),
    ({"bogus": "1"}, InvalidRequest, "Unknown parameter bogus=1.  No reservation update."),
    ({"Groups": "staff"}, InvalidRequest, "Reservations can't have users and groups specified, only one or the other"),
    ({"Nodes+": "cn02"}, InvalidRequest, "The +=/-= notation is not supported when updating nodes.  No reservation update."),
    ({"Flags-": "OVERLAP"}, InvalidRequest, "Error parsing flags OVERLAP.  No reservation update."), ({"Users+": "nosuch"}, InvalidRequest, "Invalid user id"),
    ({"Skip": "1"}, NotNow, "Reservation given is not skipable, try deleting instead"), ({"NodeCnt": "9"}, NotNow, "Requested nodes are busy")])
def test_updates_are_refused_in_slurms_words(keys: dict[str, str], kind: type[SlurmError], message: str) -> None:
    c = b.lab_cluster()
    b.reserve(c, "r", Nodes="cn01")
    with pytest.raises(kind) as caught:
        making.update(c, "r", keys, b.ROOT, b.People(), b.T0)
    assert caught.value.message == message


def test_an_unknown_reservation_is_not_updated_and_one_of_cores_keeps_them() -> None:
    c = b.lab_cluster()
    b.reserve(c, "cores", Nodes="cn01", CoreCnt="4")
    with pytest.raises(NotFound, match="Requested reservation is invalid"):
        making.update(c, "nosuch", {"Duration": "5"}, b.ROOT, b.People(), b.T0)
    with pytest.raises(NotNow, match="Core-based reservation can not be updated"):
        making.update(c, "cores", {"Nodes": "cn02"}, b.ROOT, b.People(), b.T0)


def test_skip_goes_on_to_the_next_occurrence() -> None:
    c = b.lab_cluster()
    made = b.reserve(c, "r", Nodes="cn01", Flags="DAILY")
    start = made.start
    changed(c, "r", Skip="1")
    assert c.reservations["r"].start == start + 86400 and not c.reservations["r"].begun
