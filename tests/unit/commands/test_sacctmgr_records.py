"""sacctmgr show event, problem, runawayjobs and stats: what befell nodes, what is amiss, jobs that nobody knows, and what slurmdbd did."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm.commands.shell import Message
from slurm.model.accounting import ClusterRecord, JobFilter, JobRecord, NodeEventRecord
from slurm.model.ids import Gid, JobId, NodeName, Uid
from slurm.model.states import JobState
from slurm.notation import moment
from tests.accounting_suite import Feeding
from tests.compat import policy_lab
from tests.compat.policy_lab import PolicyLab, Said

NOW = 1.8e9
BOB = 3_000_002


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PolicyLab]:
    monkeypatch.setattr("slurm.slurmdbd.rights.user_name", lambda uid: {0: "root", BOB: "bob"}.get(uid, str(uid)))
    made = PolicyLab(tmp_path)
    yield made
    made.database.close()


def fed(lab: PolicyLab) -> Feeding:
    """The lab's cluster has two nodes, one of which was down for a minute and one of which is drained."""
    controller = Feeding(lab.database, cluster="lab")
    controller.take(
        ClusterRecord(start_time=NOW - 3000, nodes="cn[1-2]", tres={"cpu": 8}), ClusterRecord(start_time=NOW - 1000, nodes="cn[1-3]", tres={"cpu": 12}),
        NodeEventRecord(node=NodeName("cn2"), start_time=NOW - 500, state="DRAIN", reason="bad disk", reason_uid=Uid(BOB), tres={"cpu": 4}),
        NodeEventRecord(node=NodeName("cn1"), start_time=NOW - 400, end_time=NOW - 340, state="DOWN*", reason="Not responding", tres={"cpu": 4}))
    return controller


def at(seconds: float) -> str:
    return moment.show(NOW + seconds)


def test_events_are_those_of_the_cluster_and_then_of_its_nodes_since_yesterday(lab: PolicyLab) -> None:
    fed(lab)
    assert lab.run("sacctmgr -P show event").stdout == [
        "Cluster|NodeName|TimeStart|TimeEnd|State|Reason|User", f"lab||{at(-3000)}|{at(-1000)}||Cluster Registered TRES|",
        f"lab||{at(-1000)}|Unknown||Cluster Registered TRES|", f"lab|cn1|{at(-400)}|{at(-340)}|DOWN*|Not responding|root(0)",
        f"lab|cn2|{at(-500)}|Unknown|DRAIN|bad disk|{BOB}({BOB})"]
    wide = lab.run("sacctmgr show event event=node").stdout
    assert wide[0] == "   Cluster NodeName                  TimeStart             TimeEnd  State                         Reason       User "
    assert wide[2].startswith("       lab cn1             2027")
    [first, *_] = json.loads("\n".join(lab.run("sacctmgr --json show event event=node").stdout))["events"]
    assert (first["node"], first["state"]) == ("cn1", "DOWN*")


@pytest.mark.parametrize(("words", "nodes"), [
    ("states=drain", ["cn2"]), ("states=down", []), ("states=down,drain start=now-1hour", ["cn1", "cn2"]), ("condflags=open event=node", ["cn2"]),
    ("nodes=cn[1-9]", ["cn1", "cn2"]), ("cn2", ["cn2"]), ("reason='bad disk'", ["cn2"]), ("start=now-300 event=node", ["cn2"]), ("end=now-450 event=node", ["cn2"]),
    ("user=root", ["cn1"]), ("all_time all_clusters event=node", ["cn1", "cn2"]), ("cluster=other", []), ("event=cluster", ["", ""])])
def test_events_are_chosen_by_what_they_are(lab: PolicyLab, words: str, nodes: list[str]) -> None:
    fed(lab)
    assert lab.run(f"sacctmgr -nP show event {words} format=nodename").stdout == nodes


def test_a_cluster_to_which_nothing_has_happened_has_no_events(lab: PolicyLab) -> None:
    assert lab.run("sacctmgr -nP show event all_time all_clusters").stdout == []


def test_strange_conditions_of_events_are_refused(lab: PolicyLab) -> None:
    assert lab.run("sacctmgr show event bogus=1").stderr[0] == " Unknown condition: bogus=1"
    assert lab.run("sacctmgr show event event=job").stderr[0] == " Unknown event type: job"
    assert lab.run("sacctmgr show event format=what").stderr[0] == " Unknown field 'what'"


def test_what_is_amiss_is_listed(lab: PolicyLab) -> None:
    lab.run("sacctmgr -i add account lonely")
    lab.run("sacctmgr -i add account mid")
    lab.run("sacctmgr -i add account leaf parent=mid")
    lab.run("sacctmgr -i add user nosuchuser1 account=research")
    said = lab.run("sacctmgr -nP show problem")
    assert [line for line in said.stdout if "alice" not in line and "bob" not in line] == [
        "lab|lonely||Account has no users", "lab|leaf||Account has no users", "||nosuchuser1|User does not have a uid"]
    assert lab.run("sacctmgr show problem").stdout[0] == "   Cluster    Account       User                                  Problem "


def running(number: int) -> JobRecord:
    return JobRecord(id=JobId(number), uid=Uid(1000), gid=Gid(1000), user="alice", group="alice", account="research", name="sim", partition="debug",
                     state=JobState.RUNNING, submit_time=NOW - 100, eligible_time=NOW - 100, start_time=NOW - 90)


def knowing(monkeypatch: pytest.MonkeyPatch, *rows: list[str]) -> None:
    """A controller that knows these jobs."""
    call = policy_lab._Channel.call

    def asked(self: policy_lab._Channel, message: Message) -> Message:
        return {"rows": list(rows)} if message["type"] == "ListJobs" else call(self, message)

    monkeypatch.setattr(policy_lab._Channel, "call", asked)


def test_jobs_of_which_the_controller_knows_nothing_are_ended_when_that_is_wanted(lab: PolicyLab, monkeypatch: pytest.MonkeyPatch) -> None:
    controller = fed(lab)
    knowing(monkeypatch, ["1", "1"], ["9", "7"])
    assert lab.run("sacctmgr show runawayjobs") == Said(["Runaway Jobs: No runaway jobs found on cluster lab"], [], 0)
    controller.take(running(1), running(2), running(7))
    said = lab.run("sacctmgr show runawayjobs", typed=b"n\n")
    assert said.stdout[0].startswith("NOTE: Runaway jobs are jobs that don't exist in the controller")
    assert said.stdout[1] == "ID                 Name  Partition    Cluster      State          TimeSubmit           TimeStart             TimeEnd "
    assert said.stdout[3].split() == ["2", "sim", "debug", "lab", "RUNNING", at(-100), at(-90), "Unknown"]
    assert said.stdout[-1] == "(N/y):  Changes Discarded" and len([line for line in said.stdout if "RUNNING" in line]) == 1
    assert lab.run("sacctmgr -i show runawayjobs").status == 0
    assert lab.run("sacctmgr show runawayjobs").stdout == ["Runaway Jobs: No runaway jobs found on cluster lab"]
    states = {row.job.id: (row.job.state, row.job.end_time) for row in lab.database.jobs(JobFilter(), "lab")}
    assert states[JobId(2)] == (JobState.COMPLETED, NOW - 90) and states[JobId(1)] == (JobState.RUNNING, 0.0)


def test_counters_are_sorted_and_cleared_by_operators(lab: PolicyLab) -> None:
    assert lab.run("sacctmgr show stats total_time").status == 0 and lab.run("sacctmgr show stats size").status == 1
    assert lab.run("sacctmgr clear stats") == Said([], [], 0)
    assert "Access/permission denied" in "".join(lab.run("sacctmgr clear stats", uid=BOB).stderr)


def test_a_clean_load_takes_away_what_the_file_does_not_name(lab: PolicyLab, tmp_path: Path) -> None:
    file = tmp_path / "lab.cfg"
    lab.run(f"sacctmgr dump lab file={file}")
    for line in ("add account extra", "add account inner parent=extra", "add user carol account=inner", "add user bob account=research"):
        assert lab.run(f"sacctmgr -i {line}").status == 0
    assert lab.run(f"sacctmgr -i load file={file}").stdout == [" Nothing new added."]
    assert lab.run(f"sacctmgr -i load clean file={file}").stdout == [" - User bob of research", " - Account extra"]
    assert lab.run("sacctmgr -nP show assoc format=account,user").stdout == ["root|", "root|root", "research|", "research|alice", "research|root", "students|", "students|bob"]
    assert lab.run(f"sacctmgr -i load {file} clean").stdout == [" Nothing new added."]
