"""scontrol show assoc_mgr: Slurm's lines, what is meant, and what is kept from whom."""

from __future__ import annotations

import pytest

from slurm.core import events as e
from slurm.core import rights
from slurm.core.cluster import Cluster
from slurm.model.errors import InvalidRequest
from slurm.model.policy import Account, Association, Qos, User, Wckey
from slurm.render.describe import describe
from slurm.render.view import View
from slurm.sched.plan import plan
from slurm.testing import builders as b
from slurm.wire.messages import Describe

UIDS = {"alice": 1001, "bob": 1002}
ALL = "cpu=N({}),mem=N({}),energy=N(0),node=N({}),billing=N({}),fs/disk=N(0),vmem=N(0),pages=N(0)"


def cluster(**settings: object) -> Cluster:
    """alice and bob in research; a job of alice has run for 90 seconds, one waits."""
    c = b.cluster(2, cluster_name="lab", accounting_enforce=["associations", "limits", "qos"], **settings)
    c.apply(e.PolicyChanged(at=b.T0, whole=True, records=[
        Account(name="root"), Account(name="research"), User(name="alice", default_wckey="red"), User(name="bob", admin_level="Operator"),
        Qos(id=1, name="normal", limits={"MaxJobsPerUser": {"": 3}, "MaxWallDurationPerJob": {"": 77}}, priority=5),
        Association(id=1, cluster="lab", account="root", qos=["normal"]),
        Association(id=3, cluster="lab", account="research", parent=1, shares=10, limits={"MaxJobs": {"": 4}}),
        Association(id=4, cluster="lab", account="students", parent=1, shares=3),
        Association(id=5, cluster="lab", account="research", user="alice", parent=3, is_default=True, shares=5, priority=7, comment="deep",
                    limits={"GrpTRES": {"cpu": 4}, "GrpJobs": {"": 6}, "MaxTRESPerJob": {"cpu": 2, "node": 1}}),
        Association(id=6, cluster="lab", account="research", user="bob", parent=3, is_default=True),
        Wckey(id=1, name="red", user="alice", cluster="lab", is_default=True)]))
    b.submit(c, ntasks=2, time_limit=600)
    [proposal] = plan(c, b.T0).proposals
    event = c.starting(proposal.job, proposal.task, proposal.allocation, b.T0)
    assert event is not None
    c.apply(event)
    b.submit(c)
    return c


def shown(c: Cluster, *words: str, caller: e.Caller = b.ROOT, oneline: bool = False) -> str:
    view = View(settings=c.settings, nodes=c.nodes, partitions=c.partitions, jobs=c.jobs, now=b.T0 + 90, policy=c.policy, licenses=c.licenses,
                uid_of=UIDS.get, sees=rights.policy_sight(c, caller))
    return describe(view, Describe(what="assoc_mgr", names=list(words), oneline=oneline), caller, view.now).text


def test_an_association_says_its_shares_usage_and_limits_with_what_is_in_use() -> None:
    text = shown(cluster(), "users=alice", "flags=assoc")
    assert text.startswith("Current Association Manager state\n\nAssociation Records\n\nClusterName=lab Account=root UserName= Partition= Priority=0 ID=1\n")
    mine = text[text.index("ClusterName=lab Account=research UserName=alice"):text.index("ClusterName=lab Account=students")].splitlines()
    assert mine == [
        "ClusterName=lab Account=research UserName=alice(1001) Partition= Priority=7 ID=5",
        "    SharesRaw/Norm/Level/Factor=5/0.83/6/0.50", "    UsageRaw/Norm/Efctv=179.99/1.00/1.00",
        "    ParentAccount= Lineage=/research/0-alice/ DefAssoc=Yes", "    GrpJobs=6(1) GrpJobsAccrue=N(0)", "    GrpSubmitJobs=N(2) GrpWall=N(1.50)",
        "    GrpTRES=" + ALL.format(2, 1000, 1, 2).replace("cpu=N", "cpu=4"), "    GrpTRESMins=" + ALL.format(2, 1499, 1, 2),
        "    GrpTRESRunMins=" + ALL.format(17, 8500, 8, 17), "    MaxJobs=4(1) MaxJobsAccrue= MaxSubmitJobs= MaxWallPJ=", "    MaxTRESPJ=cpu=2,node=1",
        "    MaxTRESPN=", "    MaxTRESMinsPJ=", "    MinPrioThresh=", "    Comment=deep"]
    assert "UserName=bob" not in text and "Account=research UserName= Partition=" in text
    assert "    SharesRaw/Norm/Level/Factor=10/0.77/13/0.00\n" in text and "    ParentAccount=root(1) Lineage=/research/ DefAssoc=No\n" in text


def test_a_qos_says_what_its_accounts_and_users_have() -> None:
    lines = shown(cluster(), "flags=qos").splitlines()
    assert lines[:6] == ["Current Association Manager state", "", "QOS Records", "", "QOS=normal(1)", "    UsageRaw=179.990717"]
    place = lines.index("    Account Limits")
    assert lines[place - 2:place] == ["    PreemptMode=OFF", "    Priority=5"] and "    MaxWallPJ=77" in lines
    assert lines[place + 1:place + 3] == ["      research", "        MaxJobsPA=N(1) MaxJobsAccruePA=N(0) MaxSubmitJobsPA=N(2)"]
    place = lines.index("    User Limits")
    assert lines[place + 1:place + 3] == ["      alice(1001)", "        MaxJobsPU=3(1) MaxJobsAccruePU=N(0) MaxSubmitJobsPU=N(2)"]
    assert lines[place + 3] == "        MaxTRESPU=" + ALL.format(2, 1000, 1, 2)


def test_users_have_their_default_account_and_wckey() -> None:
    assert shown(cluster(), "flags=users") == (
        "Current Association Manager state\n\nUser Records\n\nUserName=alice(1001) DefAccount=research DefWckey=red AdminLevel=None\n"
        "UserName=bob(1002) DefAccount=research DefWckey= AdminLevel=Operator\n")


def test_what_is_meant_is_chosen_by_accounts_users_qos_and_flags_and_stands_in_a_line_when_asked_so() -> None:
    c = cluster()
    assert [line.split()[1:3] for line in shown(c, "accounts=research", "flags=assoc", oneline=True).splitlines() if line.startswith("Cluster")] == [
        ["Account=research", "UserName="], ["Account=research", "UserName=alice(1001)"], ["Account=research", "UserName=bob(1002)"]]
    assert "QOS=normal" not in shown(c, "qos=nosuch") and "User Records" in shown(c, "qos=nosuch")
    for word in ("bogus=1", "flags=bogus", "alice"):
        with pytest.raises(InvalidRequest, match="for keyword:show assoc_mgr"):
            shown(c, word)


def test_private_data_keeps_others_from_those_who_are_no_operators() -> None:
    alice = e.Caller(uid=1001, gid=100, user="alice", group="users", groups=[])
    for word in ("users", "usage"):
        c = cluster(private_data=[word])
        text = shown(c, caller=alice)
        assert "UserName=alice" in text and "bob" not in text, word
        assert "UserName=bob" in shown(c)
    assert "Account=students" not in shown(cluster(private_data=["accounts"]), caller=alice)
