"""Policy in the accounting database: what is added, changed, removed and told, on SQLite."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm.model.errors import InvalidRequest, NotNow
from slurm.model.policy import Account, Association, PolicyRecord, Qos, User
from slurm.model.policy_change import (
    ACCOUNT,
    ADD,
    ASSOCIATION,
    CLUSTER,
    COORDINATOR,
    MINUS,
    MODIFY,
    PLUS,
    QOS,
    REMOVE,
    USER,
    Change,
    ChangeReport,
    ListChange,
    PolicySettings,
    Which,
)
from slurm.store.accounting.database import Database, Registration
from slurm.store.accounting.policy.editing import Delta
from slurm.store.accounting.storage import SQLITE, Storage
from tests.accounting_suite import Feeding, job


class Policy:
    """A database with cluster "lab", and the words to change its policy."""

    def __init__(self, path: Path) -> None:
        self.database = Database(Storage(SQLITE, str(path)))
        self.database.open()
        self.database.register(Registration("lab", "j"))
        self.delta = Delta(0, [], {}, {})

    def change(self, verb: str, entity: str, which: Which, *, trial: bool = False, **settings: object) -> ChangeReport:
        wanted = Change(verb=verb, entity=entity, which=which, settings=PolicySettings(**settings))  # type: ignore[arg-type]
        report, self.delta = self.database.policy.change(wanted, "root", trial=trial)
        return report

    def add_account(self, *names: str, **settings: object) -> ChangeReport:
        return self.change(ADD, ACCOUNT, Which(names=list(names)), **settings)

    def add_user(self, name: str, *accounts: str, **settings: object) -> ChangeReport:
        return self.change(ADD, USER, Which(names=[name], accounts=list(accounts)), **settings)

    def records(self, cluster: str = "lab") -> list[PolicyRecord]:
        return self.database.policy.whole(cluster)[1]

    def association(self, account: str, user: str = "") -> Association:
        return next(one for one in self.records() if isinstance(one, Association) and (one.account, one.user) == (account, user))


@pytest.fixture
def policy(tmp_path: Path) -> Iterator[Policy]:
    made = Policy(tmp_path / "a.db")
    yield made
    made.database.close()


def test_a_new_cluster_has_root_and_the_qos_normal(policy: Policy) -> None:
    version, records = policy.database.policy.whole("lab")
    assert version == 0
    assert [record for record in records if isinstance(record, Account | User)] == [
        Account(name="root", description="default root account", organization="root"), User(name="root", admin_level="Administrator")]
    assert [record.name for record in records if isinstance(record, Qos)] == ["normal"]
    assert policy.association("root").qos == ["normal"]
    assert policy.association("root", "root").qos is None and policy.association("root", "root").is_default


def test_what_a_change_touched_is_what_the_controller_hears(policy: Policy) -> None:
    report = policy.add_account("physics", shares=10)
    assert report.names == ["physics"] and [(place.account, place.parent) for place in report.places] == [("physics", "root")]
    records, resets = policy.delta.of("lab")
    assert records == [Account(name="physics", description="physics", organization="physics"), policy.association("physics")]
    assert resets == [] and policy.delta.version == policy.database.policy.whole("lab")[0]
    policy.change(MODIFY, ACCOUNT, Which(names=["physics"]), limits={"GrpTRES": {"cpu": 8, "mem": 100}})
    policy.change(MODIFY, ACCOUNT, Which(names=["physics"]), limits={"GrpTRES": {"mem": -1}})
    assert policy.delta.of("lab")[0] == [policy.association("physics")]
    assert policy.association("physics").limits == {"GrpTRES": {"cpu": 8}}


def test_nothing_of_a_trial_stays(policy: Policy) -> None:
    before = policy.records()
    assert policy.change(ADD, ACCOUNT, Which(names=["physics"]), trial=True).names == ["physics"]
    assert policy.records() == before
    assert policy.add_account("physics").names == ["physics"]


def test_what_is_there_already_is_not_added_again(policy: Policy) -> None:
    policy.add_account("physics")
    assert policy.add_account("physics").is_empty
    policy.add_user("anna", "physics")
    assert policy.add_user("anna", "physics").is_empty
    assert policy.change(ADD, QOS, Which(names=["normal"])).is_empty


def test_the_first_account_of_a_user_is_the_default_one_until_another_is_chosen(policy: Policy) -> None:
    policy.add_account("physics", "chemistry")
    policy.add_user("anna", "physics")
    policy.add_user("anna", "chemistry")
    assert policy.association("physics", "anna").is_default and not policy.association("chemistry", "anna").is_default
    policy.change(MODIFY, USER, Which(names=["anna"]), default_account="chemistry")
    assert policy.association("chemistry", "anna").is_default and not policy.association("physics", "anna").is_default
    with pytest.raises(InvalidRequest, match="aren't associated with new default account 'biology'"):
        policy.change(MODIFY, USER, Which(names=["anna"]), default_account="biology")


def test_a_user_of_an_account_that_is_not_there_is_not_added(policy: Policy) -> None:
    report = policy.add_user("anna", "nosuch")
    assert report.is_empty and report.unknown_accounts == [("nosuch", "lab")]
    assert not any(isinstance(record, User) and record.name == "anna" for record in policy.records())


def test_ids_are_never_used_again_and_what_was_removed_can_still_be_seen(policy: Policy) -> None:
    policy.add_account("physics")
    first = policy.association("physics").id
    policy.change(REMOVE, ACCOUNT, Which(names=["physics"]))
    assert [getattr(record, "deleted", None) for record in policy.delta.of("lab")[0]] == [True, True]
    policy.add_account("physics")
    assert policy.association("physics").id > first
    found, _ = policy.database.policy.listed(ASSOCIATION, Which(accounts=["physics"], with_deleted=True), 0, 10)
    assert [(one.id, one.deleted) for one in found if isinstance(one, Association)] == [(first, True), (policy.association("physics").id, False)]


def test_an_account_is_removed_with_all_below_it(policy: Policy) -> None:
    policy.add_account("science")
    policy.add_account("physics", parent="science")
    policy.add_user("anna", "physics")
    policy.change(REMOVE, ACCOUNT, Which(names=["science"]))
    assert {one.account for one in policy.records() if isinstance(one, Association)} == {"root"}


def test_an_account_moves_with_all_below_it_and_never_below_itself(policy: Policy) -> None:
    policy.add_account("science", "arts")
    policy.add_account("physics", parent="science")
    policy.add_user("anna", "physics")
    policy.change(MODIFY, ACCOUNT, Which(names=["physics"]), parent="arts")
    assert policy.association("physics").parent == policy.association("arts").id
    assert policy.association("physics", "anna").parent == policy.association("physics").id
    with pytest.raises(InvalidRequest):
        policy.change(MODIFY, ACCOUNT, Which(names=["arts"]), parent="physics")
    policy.change(REMOVE, ACCOUNT, Which(names=["arts"]))
    assert {one.account for one in policy.records() if isinstance(one, Association)} == {"root", "science"}


def test_the_default_account_of_a_user_who_has_others_is_not_removed(policy: Policy) -> None:
    policy.add_account("physics", "chemistry")
    policy.add_user("anna", "physics", "chemistry")
    with pytest.raises(InvalidRequest, match="can not remove the default account"):
        policy.change(REMOVE, USER, Which(names=["anna"], accounts=["physics"]))
    policy.change(REMOVE, USER, Which(names=["anna"], accounts=["chemistry"]))
    policy.change(REMOVE, USER, Which(names=["anna"], accounts=["physics"]))


def test_nothing_is_removed_that_a_job_runs_under(policy: Policy) -> None:
    policy.add_account("physics")
    policy.add_user("anna", "physics")
    controller = Feeding(policy.database, "lab", "other")
    controller.take(job(1, 1.7e9))
    for which in (Which(names=["anna"]), Which(names=["anna"], accounts=["physics"])):
        with pytest.raises(NotNow, match=r"Job\(s\) active"):
            policy.change(REMOVE, USER, which)
    with pytest.raises(NotNow, match="JobID = 1 "):
        policy.change(REMOVE, ACCOUNT, Which(names=["physics"]))
    controller.take(job(1, 1.7e9, 1.7e9 + 60))
    policy.change(REMOVE, ACCOUNT, Which(names=["physics"]))


def test_qos_of_an_association_are_set_added_and_taken_away(policy: Policy) -> None:
    policy.change(ADD, QOS, Which(names=["high", "low"]))
    policy.add_account("physics")
    policy.change(MODIFY, ACCOUNT, Which(names=["physics"]), qos=ListChange(operation=PLUS, names=["high"]))
    assert policy.association("physics").qos is None and policy.association("physics").qos_changes == ["+high"]
    policy.change(MODIFY, ACCOUNT, Which(names=["physics"]), qos=ListChange(names=["high", "low"]))
    policy.change(MODIFY, ACCOUNT, Which(names=["physics"]), qos=ListChange(operation=MINUS, names=["low"]))
    assert policy.association("physics").qos == ["high"]
    with pytest.raises(InvalidRequest, match="bad qos 'nosuch'"):
        policy.change(MODIFY, ACCOUNT, Which(names=["physics"]), qos=ListChange(names=["nosuch"]))
    policy.change(REMOVE, QOS, Which(names=["high"]))
    assert policy.association("physics").qos is None


def test_coordinators_stand_in_their_accounts(policy: Policy) -> None:
    policy.add_account("physics")
    policy.add_user("anna", "physics")
    policy.change(ADD, COORDINATOR, Which(users=["anna"], accounts=["physics"]))
    assert policy.delta.of("lab")[0] == [Account(name="physics", description="physics", organization="physics", coordinators=["anna"])]
    policy.change(REMOVE, COORDINATOR, Which(users=["anna"]))
    assert policy.database.coordinated("anna") == []


def test_clusters_come_before_their_controllers_and_accounts_go_into_all(policy: Policy) -> None:
    policy.change(ADD, CLUSTER, Which(names=["other"]))
    policy.add_account("physics")
    policy.database.register(Registration("other", "k"))
    assert [one.account for one in policy.records("other") if isinstance(one, Association)] == ["root", "root", "physics"]
    policy.change(REMOVE, CLUSTER, Which(names=["other"]))
    assert policy.records("other") == []
    policy.change(ADD, CLUSTER, Which(names=["other"]))
    assert [one.account for one in policy.records("other") if isinstance(one, Association)] == ["root", "root"]


def test_texts_with_quotes_and_percent_signs_are_texts(policy: Policy) -> None:
    nasty = "'; DROP TABLE users; -- %_\""
    policy.add_account("physics", description=nasty)
    policy.change(MODIFY, ACCOUNT, Which(names=["physics"]), comment=nasty)
    policy.change(REMOVE, USER, Which(names=[nasty]))
    policy.add_account("a_b", "axb")
    policy.change(REMOVE, ACCOUNT, Which(names=["a_b"]))
    assert policy.association("physics").comment == nasty and policy.association("axb").id
