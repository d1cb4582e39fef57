"""When a slurmctld that stands by takes the lead: by its own clock, by what it sees of the lease, and by who it is."""

import pytest

from slurm.config.config import parse
from slurm.config.keys import mode_of
from slurm.model.errors import ConfigError
from slurm.slurmctld.seat import Seat, seat_of
from slurm.slurmctld.standby import ASKED_SECONDS, RESTART_SECONDS, Watch
from slurm.store.lease import Term

HOSTS = ["a", "b", "c"]
TIMEOUT = 10.0
CONF = "ClusterName=x\nSlurmctldHost=a(10.0.0.1)\n{more}\nNodeName=n1 CPUs=1\nPartitionName=p Nodes=ALL\n"


def watch(rank: int, *, fresh: bool = True) -> Watch:
    return Watch(Seat(rank, HOSTS[rank], HOSTS[rank], 3), TIMEOUT, fresh=fresh)


def leads(holder: str, beats: int = 0, *, released: bool = False, epoch: int = 4) -> Term:
    return Term(epoch, holder, holder, beats, released)


def test_a_leader_whose_beats_go_on_is_left_alone_for_ever() -> None:
    seen = watch(1)
    assert not any(seen.reason(leads("a", beats), beats * 1.0, HOSTS) for beats in range(1000))


def test_a_leader_is_silent_from_when_its_beats_were_seen_to_stop() -> None:
    seen = watch(1)
    assert not seen.reason(leads("a", 1), 0.0, HOSTS)
    assert not seen.reason(leads("a", 2), 9.0, HOSTS)
    assert not seen.reason(leads("a", 2), 18.9, HOSTS)
    assert seen.reason(leads("a", 2), 19.0, HOSTS) == "a has been silent for 10.0 s"


def test_of_two_that_stand_by_the_later_one_waits_for_the_earlier_one() -> None:
    first, second = watch(1), watch(2)
    for one in (first, second):
        one.reason(leads("a"), 0.0, HOSTS)
    assert first.reason(leads("a"), 10.0, HOSTS)
    assert not second.reason(leads("a"), 10.5, HOSTS)
    assert not second.reason(leads("b", epoch=5), 11.5, HOSTS)


def test_who_is_offered_the_lead_takes_it_when_it_is_released_and_not_before() -> None:
    seen = watch(1)
    seen.offered = True
    assert not seen.reason(leads("a"), 0.0, HOSTS)
    assert seen.reason(leads("a", released=True), 0.1, HOSTS) == "a hands over"


def test_a_leader_that_ended_in_order_may_come_back_before_another_one_leads() -> None:
    seen = watch(1)
    assert not seen.reason(leads("a", released=True), 100.0, HOSTS)
    assert not seen.reason(leads("a", released=True), 100.0 + RESTART_SECONDS - 0.1, HOSTS)
    assert seen.reason(leads("a", released=True), 100.0 + RESTART_SECONDS, HOSTS)
    assert watch(0).reason(leads("a", released=True), 102.0, HOSTS) == "a has ended in order"


def test_who_handed_over_does_not_take_the_lead_back_at_once() -> None:
    seen = watch(0, fresh=False)
    assert not seen.reason(leads("a", released=True), 0.0, HOSTS)
    assert not seen.goes_before(leads("b"), HOSTS)
    assert seen.reason(leads("a", released=True), RESTART_SECONDS, HOSTS), "nobody took it"


def test_the_primary_that_is_started_again_asks_for_the_lead_and_a_backup_does_not() -> None:
    assert watch(0).goes_before(leads("b"), HOSTS)
    assert not watch(2).goes_before(leads("b"), HOSTS)


def test_a_leader_that_was_killed_and_is_started_again_leads_at_once() -> None:
    assert watch(1).reason(leads("b"), 0.0, HOSTS) == "this host led before"
    assert not watch(1, fresh=False).reason(leads("b"), 0.0, HOSTS)


def test_a_leader_that_was_asked_and_does_not_hand_over_is_deposed() -> None:
    seen = watch(1)
    seen.wished = 50.0
    assert not seen.reason(leads("a"), 50.0, HOSTS)
    assert not seen.reason(leads("a", 1), 50.0 + ASKED_SECONDS - 0.1, HOSTS)
    assert seen.reason(leads("a", 2), 50.0 + ASKED_SECONDS, HOSTS)


def test_of_a_cluster_that_never_was_the_primary_begins() -> None:
    assert watch(0).reason(None, 0.0, HOSTS) == "nobody has led yet"
    late = watch(1)
    assert not late.reason(None, 0.0, HOSTS)
    assert late.reason(None, TIMEOUT, HOSTS)


def test_each_controller_is_known_by_the_name_of_its_machine() -> None:
    conf = parse(CONF.format(more="SlurmctldHost=b.example.org"))
    assert seat_of(conf, "a") == Seat(0, "a", "10.0.0.1", 2)
    assert seat_of(conf, "b") == Seat(1, "b.example.org", "b.example.org", 2)
    assert seat_of(conf, "b.example.org").rank == 1
    with pytest.raises(ConfigError, match=r"This host \(c\) not a valid controller"):
        seat_of(conf, "c")


def test_a_controller_that_is_alone_may_run_anywhere() -> None:
    assert seat_of(parse(CONF.format(more="")), "somewhere").alone


def test_the_older_words_name_a_backup_too() -> None:
    conf = parse("ClusterName=x\nControlMachine=a\nControlAddr=10.0.0.1\nBackupController=b\nBackupAddr=10.0.0.2\nNodeName=n1\nPartitionName=p Nodes=ALL\n")
    assert [(each.host, each.addr) for each in conf.controllers] == [("a", "10.0.0.1"), ("b", "10.0.0.2")]


@pytest.mark.parametrize(("rank", "count", "mode"), [(0, 2, "primary"), (1, 2, "backup"), (1, 3, "backup1"), (2, 3, "backup2")])
def test_controllers_are_called_as_slurm_calls_them(rank: int, count: int, mode: str) -> None:
    assert mode_of(rank, count) == mode
