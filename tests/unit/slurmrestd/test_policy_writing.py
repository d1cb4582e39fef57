"""Policy by HTTP: what is posted is there, what is dumped can be loaded, what is deleted is gone, and nothing is taken and dropped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slurm.client.policy import Changed
from slurm.model.errors import InvalidRequest, NotFound, SlurmError, Unsupported
from slurm.model.policy_change import Change, Which
from slurm.slurmrestd import database as showing
from slurm.slurmrestd import policy_writing as writing
from slurm.slurmrestd import reading, schema
from slurm.slurmrestd.operation import Call, Handler
from slurm.store.accounting.database import Database, Registration
from slurm.store.accounting.storage import SQLITE, Storage
from slurm.wire.policy_messages import ClusterLine


class Door:
    """A slurmdbd without the network; it counts changes."""

    def __init__(self, path: Path) -> None:
        self.database = Database(Storage(SQLITE, str(path)))
        self.database.open()
        self.database.register(Registration("lab", "j"))
        self.cluster = "lab"
        self.changes: list[Change] = []

    def records(self, entity: str, which: Which | None = None) -> list[Any]:
        return list(self.database.policy.listed(entity, which or Which(), 0, 10_000)[0])

    def clusters(self, which: Which | None = None) -> tuple[list[ClusterLine], list[tuple[int, str, str]]]:
        names = [one.name for one in self.database.clusters() if which is None or not which.names or one.name in which.names]
        return [ClusterLine(name=name, control_host="", control_port=0, rpc_version=0, flags="") for name in names], [(1, "cpu", ""), (1001, "gres", "gpu")]

    def change(self, change: Change, *, trial: bool = False) -> Changed:
        self.changes.append(change)
        return Changed(self.database.policy.change(change, "root")[0], [])


class Doors:
    def __init__(self, policy: Door) -> None:
        self.policy = policy


class Lab:
    """Operations on a database of one's own."""

    def __init__(self, path: Path) -> None:
        self.door = Door(path)

    def call(self, handler: Handler, operation: str, body: Any = None, path: dict[str, str] | None = None, **query: str) -> dict[str, Any]:
        shape = schema.shapes().operations[operation]
        read = reading.body(shape.body, json.dumps(body).encode(), 44) if body is not None else {}
        return handler(Call(44, path or {}, query, read, Doors(self.door), 0.0, "here"))  # type: ignore[arg-type]

    def post(self, what: str, body: Any) -> dict[str, Any]:
        slash = "" if what == "config" else "/"
        handler = writing.load_config if what == "config" else getattr(writing, f"post_{what.lower()}")
        return self.call(handler, f"POST /slurmdb/{{version}}/{what}{slash}", body)

    def get(self, what: str, **query: str) -> Any:
        slash = "" if what == "config" else "/"
        handler = showing.dump_config if what == "config" else getattr(showing, f"list_{what}")
        return self.call(handler, f"GET /slurmdb/{{version}}/{what}{slash}", None, **query)

    def one(self, what: str, **fields: str) -> dict[str, Any]:
        (found,) = [one for one in self.get(what)[what] if fields.items() <= one.items()]
        return dict(found)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "a.db")


def filled(lab: Lab) -> Lab:
    """Accounts, users, QOS and wckeys of every kind."""
    lab.post("qos", {"qos": [
        {"name": "low", "priority": 1}, {"name": "high", "description": "first", "priority": {"set": True, "number": 9}, "flags": ["DENY_LIMIT", "NO_DECAY"],
            "preempt": {"list": ["low"], "mode": ["REQUEUE"], "exempt_time": 60}, "usage_factor": 2.5,
            "limits": {"grace_time": 30, "max": {"tres": {"per": {"user": [{"type": "cpu", "count": 64}, {"type": "gres", "name": "gpu", "count": 4}]}},
                "wall_clock": {"per": {"job": 120}}}}}]})
    lab.post("accounts", {"accounts": [{"name": "physics", "description": "light", "organization": "science"}]})
    lab.post("associations", {"associations": [
        {"account": "lasers", "parent_account": "physics", "shares_raw": 5, "max": {"jobs": {"active": 10}}},
        {"account": "lasers", "user": "ada", "is_default": True, "qos": ["low", "high"], "default": {"qos": "low"}, "priority": 3,
            "max": {"tres": {"total": [{"type": "cpu", "count": 8}]}}},
        {"account": "physics", "user": "ada", "partition": "gpu"}]})
    lab.post("users", {"users": [{"name": "bob", "default": {"account": "physics"}, "administrator_level": ["Operator"],
        "coordinators": [{"name": "lasers", "direct": True}]}]})
    lab.post("wckeys", {"wckeys": [{"name": "red", "user": "ada", "cluster": "lab"}]})
    return lab


def bare(record: Any) -> Any:
    """A record without ids, which each database gives anew."""
    if isinstance(record, dict):
        return {key: bare(value) for key, value in record.items() if key != "id"}
    return sorted((bare(one) for one in record), key=json.dumps) if isinstance(record, list) else record


def test_what_is_posted_is_there(lab: Lab) -> None:
    filled(lab)
    high = lab.one("qos", name="high")
    assert (high["priority"]["number"], high["flags"], high["preempt"]["list"], high["preempt"]["mode"]) == (9, ["DENY_LIMIT", "NO_DECAY"], ["low"], ["REQUEUE"])
    assert {(one["type"], one["name"]): one["count"] for one in high["limits"]["max"]["tres"]["per"]["user"]} == {("cpu", ""): 64, ("gres", "gpu"): 4}
    assert high["limits"]["max"]["wall_clock"]["per"]["job"]["number"] == 120
    lasers, ada = lab.one("associations", account="lasers", user=""), lab.one("associations", account="lasers", user="ada")
    assert (lasers["parent_account"], lasers["shares_raw"], lasers["max"]["jobs"]["active"]["number"]) == ("physics", 5, 10)
    assert (ada["is_default"], sorted(ada["qos"]), ada["default"]["qos"], ada["priority"]["number"]) == (True, ["high", "low"], "low", 3)
    assert lab.one("associations", account="physics", user="ada")["partition"] == "gpu"
    assert lab.one("users", name="bob")["administrator_level"] == ["Operator"]
    (account,) = [one for one in lab.get("accounts", WithCoordinators="true")["accounts"] if one["name"] == "lasers"]
    assert account["coordinators"] == [{"name": "bob", "direct": True}]
    assert lab.one("wckeys", name="red")["user"] == "ada"


def test_posting_again_changes_what_is_said_and_leaves_the_rest(lab: Lab) -> None:
    filled(lab)
    lab.post("qos", {"qos": [{"name": "high", "priority": 11, "flags": ["ADD", "NO_RESERVE"], "description": "", "limits": {"max": {"wall_clock": {"per": {
        "job": {"infinite": True}}}}}}]})
    high = lab.one("qos", name="high")
    assert (high["priority"]["number"], high["description"], sorted(high["flags"])) == (11, "first", ["DENY_LIMIT", "NO_DECAY", "NO_RESERVE"])
    assert high["limits"]["max"]["wall_clock"]["per"]["job"]["set"] is False
    assert high["limits"]["max"]["tres"]["per"]["user"]
    lab.post("associations", {"associations": [{"account": "lasers", "shares_raw": 0x7FFFFFFF}]})
    assert lab.one("associations", account="lasers", user="")["shares_raw"] == 0x7FFFFFFF


def test_a_dump_makes_the_same_elsewhere_and_changes_nothing_where_it_is_from(lab: Lab, tmp_path: Path) -> None:
    dumped = filled(lab).get("config")
    other = Lab(tmp_path / "b.db")
    other.post("config", dumped)
    assert bare(other.get("config")) == bare(dumped)
    lab.post("config", dumped)
    assert bare(lab.get("config")) == bare(dumped)


def test_a_dump_lists_children_before_their_parents_and_is_loaded_all_the_same(lab: Lab, tmp_path: Path) -> None:
    dumped = filled(lab).get("config")
    dumped["associations"].reverse()
    dumped["qos"].sort(key=lambda one: str(one["name"]))
    other = Lab(tmp_path / "b.db")
    other.post("config", dumped)
    assert bare(other.get("associations")) == bare(lab.get("associations"))


def test_users_and_accounts_come_with_their_associations(lab: Lab) -> None:
    made = lab.post("accounts_association", {"account": {"description": "d", "organization": "o"}, "association_condition": {
        "accounts": ["a", "b"], "clusters": ["lab"], "association": {"grpjobs": 5, "fairshare": 2}}})
    assert made["added_accounts"].splitlines()[:2] == ["a", "b"]
    assert lab.one("associations", account="a", user="")["max"]["jobs"]["active"]["number"] == 5
    made = lab.post("users_association", {"user": {"adminlevel": ["Operator"], "defaultaccount": "b"}, "association_condition": {
        "accounts": ["a", "b"], "users": ["eve"], "association": {"maxjobs": 1}}})
    assert "C = lab A = a U = eve" in made["added_users"]
    assert lab.one("users", name="eve")["default"]["account"] == "b"


def delete(lab: Lab, what: str, handler: Handler, **path: str) -> dict[str, Any]:
    (name,) = path
    return lab.call(handler, f"DELETE /slurmdb/{{version}}/{what}/{{{name}}}", None, path)


def test_what_is_deleted_is_gone_and_what_is_not_there_is_not_found(lab: Lab) -> None:
    filled(lab)
    number = str(lab.one("wckeys", name="red")["id"])
    assert "red" in delete(lab, "wckey", writing.delete_wckey, id=number)["deleted_wckeys"][0]
    assert delete(lab, "qos", writing.delete_qos, qos="high") == {"removed_qos": ["high"]}
    delete(lab, "user", writing.delete_user, name="bob")
    assert delete(lab, "account", writing.delete_account, account_name="physics") == {"removed_accounts": ["physics"]}
    assert not [one for one in lab.get("associations")["associations"] if one["account"] in ("physics", "lasers")]
    for what, handler, path in (("qos", writing.delete_qos, {"qos": "high"}), ("user", writing.delete_user, {"name": "bob"}),
            ("account", writing.delete_account, {"account_name": "physics"}), ("wckey", writing.delete_wckey, {"id": number}),
            ("cluster", writing.delete_cluster, {"cluster_name": "elsewhere"})):
        with pytest.raises(NotFound):
            delete(lab, what, handler, **path)


def test_one_association_is_deleted_only_where_one_is_meant(lab: Lab) -> None:
    filled(lab)

    def gone(handler: Handler, name: str, **query: str) -> list[str]:
        found: list[str] = lab.call(handler, f"DELETE /slurmdb/{{version}}/{name}/", None, **query)["removed_associations"]
        return found

    for query in ({}, {"account": "nowhere"}, {"user": "ada"}):
        with pytest.raises((InvalidRequest, NotFound)):
            gone(writing.delete_association, "association", **query)
    assert gone(writing.delete_association, "association", user="ada", account="physics") == ["C = lab A = physics U = ada P = gpu"]
    assert len(gone(writing.delete_associations, "associations", account="lasers")) == 2
    with pytest.raises(InvalidRequest):
        gone(writing.delete_associations, "associations")


REFUSED: list[tuple[str, Any, type[SlurmError]]] = [
    ("accounts", {"accounts": []}, InvalidRequest), ("accounts", {"accounts": [{"description": "x"}]}, InvalidRequest),
    ("accounts", {"accounts": [{"name": "x", "flags": ["DELETED"]}]}, Unsupported),
    ("accounts", {"accounts": [{"name": "x", "associations": [{"account": "x", "cluster": "lab", "user": "ada"}]}]}, InvalidRequest),
    ("users", {"users": [{"name": "nobody-yet"}]}, InvalidRequest), ("users", {"users": [{"name": "x", "default": {"account": "nowhere"}}]}, NotFound),
    ("associations", {"associations": [{"user": "ada"}]}, InvalidRequest), ("associations", {"associations": [{"account": "nowhere", "user": "ada"}]}, NotFound),
    ("associations", {"associations": [{"account": "x", "max": {"tres": {"total": [{"count": 3}]}}}]}, InvalidRequest),
    ("qos", {"qos": [{"name": "x", "flags": ["PARTITION_QOS"]}]}, Unsupported), ("qos", {"qos": [{"name": "x", "preempt": {"mode": ["CANCEL", "REQUEUE"]}}]}, InvalidRequest),
    ("wckeys", {"wckeys": [{"name": "x"}]}, InvalidRequest), ("wckeys", {"wckeys": [{"name": "x", "user": "stranger"}]}, InvalidRequest),
    ("tres", {"TRES": [{"type": "gres", "name": "fpga"}]}, Unsupported), ("users_association", {"association_condition": {"accounts": ["a"], "users": []}, "user": {}}, InvalidRequest)]


def test_what_cannot_be_is_refused(lab: Lab) -> None:
    before = bare(lab.get("config"))
    for what, body, error in REFUSED:
        with pytest.raises(error):
            lab.post(what, body)
        assert bare(lab.get("config")) == before, (what, body)


def test_tres_that_are_there_and_clusters_that_are_there_change_nothing(lab: Lab) -> None:
    lab.post("tres", {"TRES": [{"type": "cpu", "name": "", "id": 1, "count": 0}]})
    lab.post("clusters", {"clusters": [{"name": "lab"}]})
    assert not lab.door.changes
    lab.post("clusters", {"clusters": [{"name": "annex"}]})
    assert sorted(one["name"] for one in lab.get("clusters")["clusters"]) == ["annex", "lab"]
