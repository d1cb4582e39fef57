"""sacctmgr: what it asks before it changes anything, what it refuses and how, whom it obeys, files of intent, and who has not heard of a change."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm.config.slurmdbd import parse_slurmdbd
from slurm.model.accounting import JobFilter, JobRecord, Outgoing, ReservationRecord
from slurm.model.ids import Gid, JobId, Uid
from slurm.model.policy import Association, Resource, User
from slurm.model.policy_change import ASSOCIATION, USER, Which
from slurm.model.states import JobState
from slurm.slurmdbd import policy as slurmdbd_policy
from slurm.store.accounting.database import Registration
from tests.compat.policy_lab import PolicyLab, Said

ALICE, BOB, OPERATOR, COORDINATOR = 3_000_001, 3_000_002, 3_000_003, 3_000_004
USERS = {ALICE: "alice", BOB: "bob", OPERATOR: "oskar", COORDINATOR: "cora"}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PolicyLab]:
    monkeypatch.setattr("slurm.slurmdbd.rights.user_name", lambda uid: USERS.get(uid, "root"))
    made = PolicyLab(tmp_path)
    yield made
    made.database.close()


def users(lab: PolicyLab) -> list[str]:
    return [record.name for record in lab.database.policy.listed(USER, Which(), 0, 100)[0] if isinstance(record, User)]


def association(lab: PolicyLab, account: str, user: str = "") -> Association:
    return next(one for one in lab.database.policy.listed(ASSOCIATION, Which(), 0, 100)[0] if isinstance(one, Association) and (one.account, one.user) == (account, user))


PROMPT = ["Would you like to commit changes? (You have 30 seconds to decide)"]


@pytest.mark.parametrize(("typed", "is_added"), [(b"y\n", True), (b"Yes\n", True), (b"n\n", False), (b"\n", False), (b"", False)])
def test_nothing_is_changed_before_the_user_says_yes_and_the_end_of_input_is_a_no(lab: PolicyLab, typed: bytes, is_added: bool) -> None:
    said = lab.run("sacctmgr add user carol account=research", typed=typed)
    assert said.status == 0 and " Adding User(s)" in said.stdout and PROMPT[0] in said.stdout
    assert ("carol" in users(lab)) == is_added
    assert (said.stdout[-1] == "(N/y):  Changes Discarded") == (not is_added)


def test_a_refusal_names_what_would_be_valid(lab: PolicyLab) -> None:
    cases = {
        "sacctmgr -i add user carol account=research maxjob=1": (" Unknown option: maxjob=1", "did you mean MaxJobs?"),
        "sacctmgr -i modify user alice set adminlevel=king": (" Unknown admin level: king", "valid: None, Operator, Administrator"),
        "sacctmgr show assoc format=acount": (" Unknown field 'acount'", "did you mean Account?"),
        "sacctmgr -i modify user alice set qos=hgh": ("sacctmgr: error: You gave a bad qos 'hgh'. Valid QOS's are normal,high,preempt", ""),
        "sacctmgr -i add account x cluster=nosuch": ("The cluster nosuch doesn't exist", "clusters: lab"),
        "sacctmgr frobnicate": ("invalid keyword: frobnicate", "valid: add")}
    for command, (first, hint) in cases.items():
        said = lab.run(command)
        assert said.status == 1 and first in said.stderr[0], (command, said)
        assert not hint or any(hint in line for line in said.stderr[1:]), (command, said)


@pytest.mark.parametrize("words", ["add federation x"])
def test_words_that_are_not_carried_out_are_refused_with_a_sentence(lab: PolicyLab, words: str) -> None:
    said = lab.run(f"sacctmgr -i {words}")
    assert said.status == 1 and "is not supported by slurm-py yet" in said.stderr[0]


@pytest.mark.parametrize(("command", "lines"), [
    ("add account a grptres=foo=1", [
        "sacctmgr: error: slurmdb_format_tres_str: no TRES known by type foo", " Unknown option: grptres=foo=1",
        " Use keyword 'where' to modify condition"]),
    ("modify user alice set maxjobs=abc", [
        "sacctmgr: error: Invalid value for MaxJobs (abc)", " Unknown option: maxjobs=abc", " Use keyword 'where' to modify condition"]),
    ("modify user alice set foo=bar", [" Unknown option: foo=bar", " Use keyword 'where' to modify condition"]),
    ("modify user where foo=bar set maxjobs=1", [" Unknown condition: foo=bar", " Use keyword 'set' to modify value"]),
    ("show user foo=bar", [" Unknown condition: foo=bar", " Use keyword 'set' to modify value"]),
    ("delete account root", [" You are not allowed to remove the root account.", " Use remove cluster instead."]),
    ("shutdown now", ["too many arguments for shutdown keyword"]),
    ("modify user bob set defaultqos=high", [
        " These associations don't have access to their default qos.",
        " Please give them access before they the default can be set to this.",
        "  DefQOS = high       C = lab        A = students             U = bob      "]),
])
def test_what_makes_no_sense_is_refused_in_slurms_words(lab: PolicyLab, command: str, lines: list[str]) -> None:
    said = lab.run(f"sacctmgr -i {command}")
    assert (said.status, said.stdout) == (1, []) and said.stderr[:len(lines)] == lines


def test_a_default_qos_is_one_that_may_be_used_and_stays_so(lab: PolicyLab) -> None:
    assert lab.run("sacctmgr -i modify user bob set qos+=high defaultqos=high").status == 0
    assert lab.run("sacctmgr -i modify user bob set qos=normal").status == 1
    assert association(lab, "students", "bob").default_qos == "high"


def test_what_a_line_about_a_cluster_does_is_told(lab: PolicyLab) -> None:
    assert lab.run("sacctmgr -i add cluster c2 fairshare=3").stdout == [
        " Adding Cluster(s)", "  Name           = c2", " Setting", "  Default Limits:", "  Fairshare     = 3"]
    again = lab.run("sacctmgr -i add cluster c2")
    assert again.stdout == [" This cluster c2 already exists.  Not adding."] and again.status == 1
    assert lab.run("sacctmgr -i modify cluster c2 set fairshare=4").stdout == [
        " Setting", "  Default Limits:", "  Fairshare     = 4", " Modified cluster defaults for associations...", "  C = c2         A = root"]


def test_what_a_qos_is_to_have_stands_under_slurms_labels(lab: PolicyLab) -> None:
    told = lab.run("sacctmgr -i add qos q maxtresperuser=cpu=5 maxjobsperuser=2 gracetime=60 usagefactor=2 usagethreshold=0.5").stdout
    assert told[4:] == [
        "  GraceTime                = 60", "  MaxJobsPerUser = 2", "  MaxTRESPerUser           = cpu=5", "  UsageFactor              = 2.0000",
        "  UsageThreshold           = 0.5000"]


def test_there_is_no_federation_and_tables_of_one_are_empty(lab: PolicyLab) -> None:
    said = lab.run("sacctmgr show federation")
    assert said.stdout[0].split() == ["Federation", "Cluster", "ID", "Features", "FedState"] and len(said.stdout) == 2
    row = lab.run("sacctmgr -nP show cluster withfed").stdout[0]
    assert row.endswith("||0||NA")


def test_associations_are_shown_without_limits(lab: PolicyLab) -> None:
    assert lab.run("sacctmgr show assoc wolimits").stdout[0].split() == ["Cluster", "Account", "User", "Partition"]


def test_nobody_changes_what_is_not_his_and_reads_slurms_words(lab: PolicyLab) -> None:
    said = lab.run("sacctmgr -i add user mallory account=research", uid=BOB)
    assert said.status == 1 and said.stderr[:2] == [
        " error: Problem adding user associations: Access/permission denied (Only admins/operators/coordinators can add accounts)",
        "sacctmgr: error: Getting response to message type: DBD_FINI"]
    said = lab.run("sacctmgr -i delete user alice", uid=BOB)
    assert said.status == 1 and said.stderr[:2] == [
        "sacctmgr: error: Your user doesn't have privilege to perform this action", " Error with request: Access/permission denied"]
    assert users(lab) == ["root", "alice", "bob"]


ALLOWED = {
    # who may: operator, coordinator of research, bob himself
    "add user carol account=research": (True, True, False),
    "add user carol account=students": (True, False, False),
    "add user carol account=research,students": (True, False, False),
    "add user carol account=research defaultaccount=students": (True, False, False),
    "add user carol account=research adminlevel=operator": (True, False, False),
    "add user carol account=research adminlevel=administrator": (False, False, False),
    "add account below parent=research": (True, True, False),
    "add account beside": (True, False, False),
    "add account research2 parent=students": (True, False, False),
    "modify user alice set adminlevel=operator": (True, False, False),
    "modify user bob set adminlevel=administrator": (False, False, False),
    "modify user alice account=research set maxjobs=9": (True, True, False),
    "modify user alice set maxjobs=9": (True, False, False),
    "modify user cora account=research set maxjobs=9": (True, False, False),
    "modify user bob set maxjobs=9": (True, False, False),
    "modify user bob set defaultaccount=students": (True, False, True),
    "modify account research set description=x": (True, True, False),
    "modify account research set parent=students": (True, False, False),
    "modify account students set maxjobs=1": (True, False, False),
    "delete user alice": (True, False, False),
    "delete user alice account=research": (True, True, False),
    "delete account research": (True, False, False),
    "delete account students": (True, False, False),
    "add qos x": (True, False, False),
    "modify qos normal set priority=5": (True, False, False),
    "delete qos high": (True, False, False),
    "add cluster other": (False, False, False),
    "delete cluster lab": (False, False, False),
    "modify cluster lab set maxjobs=5": (True, False, False),
    "add coordinator account=research name=alice": (True, True, False),
    "add coordinator account=students name=bob": (True, False, False),
    "delete coordinator account=research name=cora": (True, True, False),
    "add user alice wckey=red": (True, False, False),
    "add user carol account=research wckey=red": (True, False, False),
    "add wckey red user=bob": (True, False, False),
    "modify user bob set defaultwckey=blue": (True, False, True),
    "delete user bob wckey=blue": (True, False, False),
    "add resource matlab type=license count=4": (True, False, False),
}


@pytest.mark.parametrize("words", ALLOWED)
def test_each_has_his_rights_and_no_more(lab: PolicyLab, words: str) -> None:
    for line in ("add user oskar account=students adminlevel=operator", "add user cora account=research", "add coordinator account=research name=cora",
                 "add user bob wckey=green,blue"):
        assert lab.run(f"sacctmgr -i {line}").status == 0
    for uid, allowed in zip((OPERATOR, COORDINATOR, BOB), ALLOWED[words], strict=True):
        said = lab.run(f"sacctmgr {words}", uid=uid, typed=b"n\n")  # a trial is refused as the change would be
        denied = any("Access/permission denied" in line for line in said.stderr)
        assert denied != allowed, (USERS[uid], words, said)
        assert allowed or said.status == 1


def test_private_data_keeps_users_and_accounts_from_those_whom_they_do_not_concern(tmp_path: Path, lab: PolicyLab) -> None:
    for line in ("add user oskar account=students adminlevel=operator", "add user cora account=students", "add coordinator account=research name=cora"):
        assert lab.run(f"sacctmgr -i {line}").status == 0
    everything = {
        "show user -nP format=user": {"root", "alice", "bob", "oskar", "cora"}, "show account -nP format=account": {"root", "research", "students"},
        "show assoc -nP format=account,user": {"root|", "root|root", "research|", "research|alice", "research|root", "students|", "students|bob",
                                               "students|oskar", "students|cora"}}
    visible = {
        ("users", BOB): ({"bob"}, everything["show account -nP format=account"], {"root|", "research|", "students|", "students|bob"}),
        ("users", COORDINATOR): ({"alice", "root", "cora"}, everything["show account -nP format=account"], {
            "root|", "research|", "research|alice", "research|root", "students|", "students|cora"}),
        ("accounts", BOB): (everything["show user -nP format=user"], set(), {one for one in everything["show assoc -nP format=account,user"] if one[-1] != "|"}),
        ("accounts", COORDINATOR): (everything["show user -nP format=user"], {"research"}, {
            one for one in everything["show assoc -nP format=account,user"] if one[-1] != "|" or one == "research|"})}
    for word in ("users", "accounts", ""):
        lab.conf = parse_slurmdbd(f"StorageType=accounting_storage/sqlite\nStorageLoc={tmp_path}/a.db\n" + (f"PrivateData={word}\n" if word else ""))
        for uid in (BOB, COORDINATOR, OPERATOR, 0):
            expected = visible.get((word, uid), tuple(everything.values()))
            assert tuple(set(lab.run(f"sacctmgr {command}", uid=uid).stdout) for command in everything) == expected, (word, uid)
    assert lab.run("sacctmgr show transactions -nP", uid=0).stdout != []
    lab.conf = parse_slurmdbd(f"StorageType=accounting_storage/sqlite\nStorageLoc={tmp_path}/a.db\nPrivateData=users\n")
    assert lab.run("sacctmgr show transactions -nP", uid=BOB).stdout == []


def test_with_disable_coord_dbd_coordinators_change_nothing(tmp_path: Path, lab: PolicyLab) -> None:
    for line in ("add user cora account=research", "add coordinator account=research name=cora"):
        assert lab.run(f"sacctmgr -i {line}").status == 0
    lab.conf = parse_slurmdbd(f"StorageType=accounting_storage/sqlite\nStorageLoc={tmp_path}/a.db\nDisableCoordDBD=yes\n")
    said = lab.run("sacctmgr -i modify user alice account=research set maxjobs=9", uid=COORDINATOR)
    assert said.status == 1 and any("Access/permission denied" in line for line in said.stderr)


def test_who_sets_a_limit_reads_that_it_is_not_heeded_where_it_is_not_enforced(tmp_path: Path, lab: PolicyLab) -> None:
    conf = tmp_path / "slurm.conf"
    lab.environ = {"SLURM_CONF": str(conf)}
    for written, told in (("", True), ("AccountingStorageEnforce=associations\n", True), ("AccountingStorageEnforce=safe\n", False)):
        conf.write_text(f"ClusterName=lab\nSlurmctldHost=localhost\n{written}")
        for words, limit in (("set maxjobs=5", True), ("set maxjobs=6 fairshare=3", True), ("set fairshare=4", False)):
            said = lab.run(f"sacctmgr -i modify user alice {words}")
            assert said.status == 0
            assert any("AccountingStorageEnforce=limits" in line for line in said.stderr) is (told and limit), (written, words)


def test_a_change_is_answered_when_the_controller_has_it(lab: PolicyLab) -> None:
    lab.controller.told.clear()
    assert lab.run("sacctmgr -i add user carol account=research").stderr == []
    told = [record for message in lab.controller.told if not message.part for record in message.records]
    assert [record for record in told if isinstance(record, User)] == [User(name="carol")]
    assert association(lab, "research", "carol") in told


def test_a_controller_that_has_not_taken_a_change_is_named(lab: PolicyLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurmdbd_policy, "SETTLE_SECONDS", 0.05)
    lab.controller.takes = False
    said = lab.run("sacctmgr -i modify user alice set maxjobs=5")
    assert said.status == 0 and said.stderr == ["sacctmgr: warning: cluster lab: its slurmctld has not taken it within 0 s"]
    assert association(lab, "research", "alice").limits == {"MaxJobs": {"": 5}}


def test_limits_are_set_changed_and_cleared_by_all_their_names(lab: PolicyLab) -> None:
    def now() -> dict[str, dict[str, int]]:
        return association(lab, "research").limits

    lab.run("sacctmgr -i modify account research set GrpTRES=cpu=64,mem=1T,gres/gpu=4 MaxWall=1-00:00:00 GrpNodes=8 maxsubmit=5")
    assert now() == {
        "GrpTRES": {"cpu": 64, "mem": 1048576, "gres/gpu": 4, "node": 8}, "MaxWallDurationPerJob": {"": 1440}, "MaxSubmitJobs": {"": 5}}
    lab.run("sacctmgr -i modify account research set GrpTRES=cpu=-1,gres/gpu=2 MaxWall=-1 MaxSubmitJobs=-1")
    assert now() == {"GrpTRES": {"mem": 1048576, "gres/gpu": 2, "node": 8}}
    lab.run("sacctmgr -i modify account research set GrpTRES=-1")
    assert now() == {}


def test_a_file_is_loaded_once_shows_what_it_changes_and_then_changes_nothing(lab: PolicyLab, tmp_path: Path) -> None:
    file = tmp_path / "lab.cfg"
    lab.run(f"sacctmgr dump lab file={file}")
    assert lab.run(f"sacctmgr -i load file={file}") == Said([" Nothing new added."], [], 0)
    text = file.read_text().replace("Fairshare=10", "Fairshare=20:GrpTRES=cpu=8,node=2") + "Parent - 'research'\nAccount - 'lasers':Description='light':Fairshare=3\n"
    file.write_text(text + "Parent - 'lasers'\nUser - 'carol':DefaultAccount='lasers':AdminLevel='Operator':MaxJobs=2\n")
    said = lab.run(f"sacctmgr load file={file}", typed=b"n\n")
    assert said.stdout[:3] == [
        " ~ Account research: shares=20, GrpTRES=cpu=8,node=2", " + Account lasers: description=light, parent=research, shares=3",
        " + User carol in lasers: MaxJobs=2, admin_level=Operator"]
    assert "carol" not in users(lab)
    assert lab.run(f"sacctmgr -i load file={file}").status == 0
    assert association(lab, "research").limits == {"GrpTRES": {"cpu": 8, "node": 2}} and association(lab, "lasers", "carol").is_default
    assert lab.run(f"sacctmgr -i load file={file}") == Said([" Nothing new added."], [], 0)


def test_a_file_makes_a_cluster_like_the_one_it_was_dumped_from(lab: PolicyLab, tmp_path: Path) -> None:
    file, again = tmp_path / "lab.cfg", tmp_path / "again.cfg"
    lab.run(f"sacctmgr dump lab file={file}")
    fresh_folder = tmp_path / "fresh"
    fresh_folder.mkdir()
    fresh = PolicyLab(fresh_folder, setup=())
    assert fresh.run(f"sacctmgr -i load file={file}").status == 0
    fresh.run(f"sacctmgr dump lab file={again}")
    assert again.read_text() == file.read_text()
    fresh.database.close()


def test_a_conversation_carries_out_line_after_line(lab: PolicyLab) -> None:
    said = lab.run("sacctmgr -i", typed=b"add account physics\nshow bogus\nlist account format=account -P\nquit\n")
    assert any(" Adding Account(s)" in line for line in said.stdout) and association(lab, "physics").account == "physics"
    assert said.stderr[0] == "No valid entity in list command"


def test_removed_records_are_shown_when_they_are_asked_for(lab: PolicyLab) -> None:
    lab.run("sacctmgr -i delete user bob")
    assert "bob" not in str(lab.run("sacctmgr -nP show user").stdout)
    assert lab.run("sacctmgr -nP show user withdeleted format=user").stdout == ["alice", "bob", "root"]


def test_what_holds_for_a_user_is_shown_with_what_comes_from_above_unless_it_is_not_wanted(lab: PolicyLab) -> None:
    lab.run("sacctmgr -i modify account research set maxjobs=7")
    assert lab.run("sacctmgr -nP show assoc user=alice format=user,maxjobs,qos").stdout == ["alice|7|high,normal,preempt"]
    assert lab.run("sacctmgr -nP show assoc user=alice format=user,maxjobs,qos wopi").stdout == ["alice||"]


def test_control_characters_are_refused_in_names_and_escaped_where_they_are_shown(lab: PolicyLab) -> None:
    said = lab.run("sacctmgr -i add account 'evil\x1b[2J'")
    assert said.status == 1 and "\x1b" not in "".join(said.stderr) and "no control characters" in "".join(said.stderr)


def test_readonly_changes_nothing(lab: PolicyLab) -> None:
    assert lab.run("sacctmgr -i -r add account x") == Said([], ["Can't run this command in readonly mode."], 1)


def test_records_are_told_as_json_and_yaml_too(lab: PolicyLab) -> None:
    found = json.loads("\n".join(lab.run("sacctmgr --json show user").stdout))
    assert [(one["name"], one.get("admin_level")) for one in found["users"]] == [("alice", "None"), ("bob", "None"), ("root", "Administrator")]
    assert [one["limits"]["MaxJobsPerUser"][""] for one in json.loads("\n".join(lab.run("sacctmgr show qos high --json").stdout))["qos"]] == [10]
    assert "!!str name: !!str alice" in "\n".join(lab.run("sacctmgr show user --yaml").stdout)


def test_quiet_says_nothing_of_what_was_done(lab: PolicyLab) -> None:
    assert lab.run("sacctmgr --quiet -i add account physics") == Said([], [], 0)
    assert lab.run("sacctmgr --verbose -i add account chemistry").stdout[0] == " Adding Account(s)"


def test_users_have_wckeys_the_first_is_the_default_one_until_another_is_chosen(lab: PolicyLab) -> None:
    said = lab.run("sacctmgr -i add user alice wckey=Red,blue")
    assert said.stdout == [
        " WCKeys =", "  C = lab        W = red                  U = alice    ", "  C = lab        W = blue                 U = alice    "]
    assert lab.run("sacctmgr -nP show wckey format=wckey,cluster,user,id").stdout == ["red|lab|alice|1", "blue|lab|alice|2"]
    assert lab.run("sacctmgr -nP show user alice format=user,defaultwckey").stdout == ["alice|red"]
    assert lab.run("sacctmgr -i modify user alice set defaultwckey=blue").stdout == [" Modified users...", "  alice"]
    assert lab.run("sacctmgr -nP show user where defaultwckey=blue format=user").stdout == ["alice"]
    said = lab.run("sacctmgr -i modify user alice set defaultwckey=pink")
    assert said.status == 1 and said.stderr[:2] == [
        " Can't modify because these users aren't associated with new default wckey 'pink'...", "  U = alice     C = lab"]
    assert lab.run("sacctmgr -i delete user alice wckey=blue").stdout == [
        " Deleting user WCKeys...", "  C = lab        W = blue                 U = alice    "]
    assert lab.run("sacctmgr -nP show user alice format=user,defaultwckey").stdout == ["alice|"]
    assert lab.run("sacctmgr -nP show wckey withdeleted format=wckey,id").stdout == ["red|1", "blue|2"]
    assert lab.run("sacctmgr -i delete user alice wckey=blue") == Said([" Nothing deleted"], [], 1)


def test_a_wckey_may_be_added_with_a_new_user_and_goes_with_him(lab: PolicyLab) -> None:
    said = lab.run("sacctmgr -i add user carol account=research defaultwckey=dd wckeys=ee")
    assert said.stdout[:5] == [" Adding User(s)", "  carol", " Settings", "  Default Account = research", "  Default WCKey   = dd"]
    assert lab.run("sacctmgr -nP show wckey user=carol format=wckey").stdout == ["ee", "dd"]
    assert lab.run("sacctmgr -i add wckey ff user=carol").status == 0
    assert lab.run("sacctmgr -i add wckey ff").status == 1 and lab.run("sacctmgr -i add wckey ff user=nobody1").status == 1
    assert lab.run("sacctmgr -i delete wckey ff user=carol").status == 0
    assert lab.run("sacctmgr -i delete user carol").status == 0
    assert lab.run("sacctmgr -nP show wckey").stdout == []


def test_lists_of_users_have_the_default_wckey_where_slurm_conf_tracks_them(tmp_path: Path, lab: PolicyLab) -> None:
    conf = tmp_path / "slurm.conf"
    for written, tracked in (("", False), ("TrackWCKey=yes\n", True), ("AccountingStorageEnforce=wckeys\n", True)):
        conf.write_text(f"ClusterName=lab\nSlurmctldHost=localhost\n{written}")
        assert lab.run("sacctmgr -P show user").stdout[0] == ("User|Def Acct|Def WCKey|Admin" if tracked else "User|Def Acct|Admin")


def test_wckeys_are_dumped_and_loaded(lab: PolicyLab, tmp_path: Path) -> None:
    file = tmp_path / "lab.cfg"
    lab.run("sacctmgr -i add user bob wckey=red,blue")
    lab.run(f"sacctmgr dump lab file={file}")
    assert "User - 'bob':DefaultAccount='students':DefaultWCKey='red':WCKeys='red,blue':" in file.read_text()
    assert lab.run(f"sacctmgr -i load file={file}") == Said([" Nothing new added."], [], 0)
    file.write_text(file.read_text().replace("DefaultWCKey='red':WCKeys='red,blue'", "DefaultWCKey='pink':WCKeys='red,pink'"))
    assert lab.run(f"sacctmgr -i load file={file}").stdout == [" + WCKeys pink of bob", " ~ User bob: DefaultWCKey=pink"]
    assert lab.run("sacctmgr -nP show user bob format=defaultwckey").stdout == ["pink"]


def test_resources_are_shared_out_to_clusters_in_percent_or_in_numbers(lab: PolicyLab) -> None:
    said = lab.run("sacctmgr -i add resource name=matlab server=flex_host servertype=flexlm type=license count=100")
    assert said.stdout == [
        " Adding Resource(s)", "  matlab@flex_host", " Settings", "  Name           = matlab", "  Server         = flex_host",
        "  Description    = matlab", "  ServerType     = flexlm", "  Count          = 100", "  Type           = License"]
    assert lab.run("sacctmgr -i add resource matlab server=flex_host count=100") == Said([" Nothing new added."], [], 1)
    said = lab.run("sacctmgr -i add resource matlab server=flex_host cluster=lab percentallowed=50")
    assert said.stdout[1:3] == ["  matlab@flex_host", "   Cluster - lab\t50%"]
    assert lab.run("sacctmgr show resource").stdout == [
        "      Name     Server     Type  Count LastConsumed Allocated ServerType                Flags ",
        "---------- ---------- -------- ------ ------------ --------- ---------- -------------------- ",
        "    matlab  flex_host  License    100            0        50     flexlm                      "]
    assert lab.run("sacctmgr -nP show resource withclusters format=name,server,cluster,allowed").stdout == ["matlab|flex_host|lab|50"]
    said = lab.run("sacctmgr -i modify resource name=matlab server=flex_host cluster=lab set percentallowed=160")
    assert said.status == 1 and said.stderr == [
        " You can not allocate more than 100% of a resource", " If change was accepted it would look like this...", "  matlab@flex_host",
        "   Cluster - lab\t 160%", "   total\t\t160%"]
    assert lab.run("sacctmgr -i modify resource matlab set count=200 lastconsumed=10").stdout[:2] == [" Modified server resource ...", "  matlab@flex_host"]
    told = [record for message in lab.controller.told for record in message.records if isinstance(record, Resource)][-1]
    assert (told.full_name, told.share("lab"), told.last_consumed) == ("matlab@flex_host", 100, 10)
    assert lab.run("sacctmgr -i add resource nastran type=license count=20 cluster=lab allowed=30 flags=absolute").status == 1
    assert lab.run("sacctmgr -i add resource nastran type=license count=20 cluster=lab allowed=15 flags=absolute").stdout[1:3] == [
        "  nastran@slurmdb", "   Cluster - lab\t15"]
    assert lab.run("sacctmgr -i modify resource nastran set count=10").status == 1, "15 of them are given out"


def test_a_resource_goes_from_a_cluster_or_altogether(lab: PolicyLab) -> None:
    lab.run("sacctmgr -i add resource matlab type=license count=10 cluster=lab allowed=100")
    assert lab.run("sacctmgr -i delete resource matlab cluster=lab").stdout == [" Deleting resource(s)...", "  matlab@slurmdb", "   Cluster - lab\t100%"]
    assert lab.run("sacctmgr -nP show resource format=name,allocated").stdout == ["matlab|0"]
    assert lab.run("sacctmgr -i delete resource matlab").stdout == [" Deleting resource(s)...", "  matlab@slurmdb"]
    assert lab.run("sacctmgr -nP show resource").stdout == []
    assert lab.run("sacctmgr -nP show resource withdeleted format=name,flags").stdout == ["matlab|Deleted"]
    assert lab.run("sacctmgr -i delete resource nosuch") == Said([" Nothing deleted"], [], 1)


@pytest.mark.parametrize(("words", "first"), [
    ("add resource", " Need name of resource to add."), ("add resource x", " Need to designate a resource type to initially add 'x'."),
    ("add resource x type=license", " Need to designate a count to initially add 'x'."), ("delete resource", " No conditions given to remove, not executing."),
    ("add resource x type=token count=5", " Unknown resource type: token"), ("add resource x type=license count=5 flags=odd", " Invalid resource flag: odd"),
    ("add resource x@y type=license count=5", "jobs name it NAME@SERVER: neither has an @")])
def test_what_makes_no_resource_is_refused(lab: PolicyLab, words: str, first: str) -> None:
    said = lab.run(f"sacctmgr -i {words}")
    assert said.status == 1 and any(first in line for line in said.stderr), said


def test_slurmdbd_conf_says_how_resources_clusters_and_users_begin(tmp_path: Path, lab: PolicyLab) -> None:
    lab.conf = parse_slurmdbd(
        f"StorageType=accounting_storage/sqlite\nStorageLoc={tmp_path}/a.db\nAllResourcesAbsolute=yes\nDefaultQOS=high\nAllowNoDefAcct=yes\n")
    lab.run("sacctmgr -i add resource matlab type=license count=200 cluster=lab allowed=150")
    assert lab.run("sacctmgr -nP show resource format=allocated,flags").stdout == ["150|Absolute"]
    lab.run("sacctmgr -i add cluster other")
    assert lab.run("sacctmgr -nP show assoc cluster=other account=root user= format=qos").stdout[0] == "high"
    lab.run("sacctmgr -i add user bob account=research")
    assert lab.run("sacctmgr -i modify user bob set defaultaccount=").status == 0
    assert lab.run("sacctmgr -nP show user bob format=user,defaultaccount").stdout == ["bob|"]


def test_users_have_a_default_account_unless_slurmdbd_conf_lets_them_be_without(lab: PolicyLab) -> None:
    said = lab.run("sacctmgr -i modify user bob set defaultaccount=")
    assert said.status == 1 and "AllowNoDefAcct" in said.stderr[-1]


def test_reservations_of_the_past_are_shown_and_with_privatedata_only_to_operators(lab: PolicyLab) -> None:
    lab.database.register(Registration("lab", "r"))
    night = ReservationRecord(id=3, start_time=3600.0, since=3600.0, end_time=7200.0, name="night", nodes="cn01", users=["alice"], tres={"cpu": 4})
    lab.database.take("lab", "r", [Outgoing(1, night)])
    command = "sacctmgr -n -P show reservation night start=1970-01-01 format=cluster,name,tres,start,end,unusedwall,id,nodenames,assoc"
    assert lab.run(command).stdout == ["lab|night|cpu=4|1970-01-01T01:00:00|1970-01-01T02:00:00|3600.000000|3|cn01|alice"]
    assert lab.run("sacctmgr -n show reservation names=day start=1970-01-01").stdout == []
    assert lab.run("sacctmgr show reservation id=x").stderr[0] == " Bad reservation id: x"
    assert lab.run("sacctmgr show reservation color=red").stderr[0] == " Unknown condition: color=red"
    lab.conf = parse_slurmdbd("StorageType=accounting_storage/sqlite\nStorageLoc=/a.db\nPrivateData=reservations\n")
    assert lab.run(command, uid=ALICE).status == 1 and lab.run(command).status == 0


def test_what_is_said_of_ended_jobs_is_changed_by_owners_in_part_and_by_operators_in_full(lab: PolicyLab) -> None:
    lab.database.register(Registration("lab", "r"))

    def record(number: int, uid: int, end: float) -> JobRecord:
        return JobRecord(
            id=JobId(number), uid=Uid(uid), gid=Gid(0), user=USERS[uid], group="g", state=JobState.COMPLETED if end else JobState.RUNNING,
            submit_time=60.0, eligible_time=60.0, start_time=60.0, end_time=end)

    lab.database.take("lab", "r", [
        Outgoing(n, record(n, uid, end)) for n, (uid, end) in enumerate(((ALICE, 120.0), (BOB, 120.0), (ALICE, 0.0)), 1)])

    def job(number: int) -> JobRecord:
        return next(row.job for row in lab.database.jobs(JobFilter(), "lab") if row.job.id == number)

    said = lab.run("sacctmgr -i modify job where jobid=1 set derivedexitcode=3:9 comment=bad", uid=ALICE)
    assert said.status == 0 and said.stdout == [" Modified jobs...", "  1 of lab, submitted 1970-01-01T00:01:00, alice"]
    assert (job(1).derived_status, job(1).comment) == (3 << 8 | 9, "bad")
    for command, sentence in (
            ("modify job where jobid=2 set comment=mine", "job 2 is bob's"), ("modify job where jobid=1 set admincomment=x", "AdminLevel is Operator"),
            ("modify job where jobid=3 set comment=x", "job 3 has not ended"), ("modify job set comment=x", "which jobs"),
            ("modify job where jobid=1", "anything to set"), ("modify job where jobid=1 set derivedexitcode=900", "Bad exit code: 900"),
            ("modify job where jobid=1 set state=x", "Unknown option: state=x"), ("modify job where color=1 set comment=x", "Unknown condition")):
        refused = lab.run(f"sacctmgr -i {command}", uid=ALICE)
        assert refused.status == 1 and sentence in "\n".join(refused.stderr), (command, refused)
    assert lab.run("sacctmgr -i modify jobs where user=alice,bob endtime=1970-01-02 set newwckey=red systemcomment=seen").status == 0
    assert [(job(n).wckey, job(n).system_comment) for n in (1, 2, 3)] == [("red", "seen")] * 2 + [("", "")]
    assert lab.run("sacctmgr modify job where jobid=2 set comment=x", typed=b"n\n").stdout[-1].endswith("Changes Discarded")
    assert (job(2).comment, job(2).user) == ("", "bob")


def test_tres_are_chosen_by_type_name_and_number(lab: PolicyLab) -> None:
    def shown(words: str) -> list[str]:
        return lab.run(f"sacctmgr -n -P show tres {words}").stdout

    assert shown("type=CPU") == ["cpu||1"] and shown("id=2") == ["mem||2"]
    assert shown("type=cpu id=2") == shown("nosuch") == []
    assert len(shown("type=")) > 2
