"""sreport as a command: reports, periods, units, TRES, and how it complains. Sums come from the test instead of a database."""

import io

import msgspec
import pytest

from slurm.commands import sreport
from slurm.commands.shell import Shell
from slurm.model.accounting import AssociationUsage, ClusterUsage, JobRecord, JobRow, ReservationRow, UsageFilter, WckeyUsage
from slurm.model.ids import Gid, JobId, Uid
from slurm.model.states import JobState
from tests.compat import past
from tests.compat.lab import Outcome
from tests.compat.transcript import find

NOW = 1795221798.0
"""2026-11-21T00:43:18 UTC, when the session was recorded."""
HOUR = 3600.0
CPU = ClusterUsage("lab", "cpu", 64 * 90000, 2_000_000, 60_000, 0, 3_640_000, 60_000)
MEMORY = ClusterUsage("lab", "mem", 320_000 * 90000, 0, 0, 0, 320_000 * 90000, 0)
ENERGY = ClusterUsage("lab", "energy", 0, 0, 0, 0, 0, 0)
PEOPLE = [
    AssociationUsage("lab", 4, "research", "alice", "cpu", 1_200_000), AssociationUsage("lab", 3, "root", "root", "cpu", 600_000),
    AssociationUsage("lab", 6, "students", "bob", "cpu", 180_000), AssociationUsage("lab", 7, "students", "alice", "cpu", 20_000)]
KEYS = [WckeyUsage("lab", "blue", "alice", "cpu", 6000), WckeyUsage("lab", "red", "bob", "cpu", 12000)]


class Sums(past.Past):
    """A connection that knows sums besides jobs."""

    def __init__(self, *rows: JobRow, people: list[AssociationUsage] | None = None, clusters: tuple[ClusterUsage, ...] = (CPU, MEMORY, ENERGY)) -> None:
        super().__init__(rows)
        self.people = PEOPLE if people is None else people
        self.clusters = clusters
        self.reservations: list[ReservationRow] = []
        self.summed: list[UsageFilter] = []

    def call(self, message: dict[str, object]) -> dict[str, object]:
        """Sums, or jobs."""
        if message["type"] == "FindReservations":
            return {"type": "ReservationsFound", "reservations": msgspec.to_builtins(self.reservations)}
        if message["type"] != "SumUsage":
            return super().call(message)
        wanted = msgspec.convert(message["wanted"], UsageFilter)
        self.summed.append(wanted)
        kinds = {"cluster": ("clusters", list(self.clusters)), "association": ("associations", self.people), "wckey": ("wckeys", KEYS)}
        key, found = kinds[str(message["kind"])]
        chosen = [one for one in found if not wanted.tres or one.tres in wanted.tres]  # type: ignore[attr-defined]
        return {"type": "UsageSummed", "cluster": "lab", key: msgspec.to_builtins(chosen)}


def _sreport(*argv: str, of: Sums | None = None, stdin: str = "") -> Outcome:
    past.use_utc()
    out, err = io.StringIO(), io.StringIO()
    door = of or Sums()
    shell = Shell("sreport", argv, {}, io.BytesIO(stdin.encode()), out, err, connect=lambda environ: door, now=lambda: NOW)
    status = sreport.main(shell)
    return Outcome(out.getvalue(), err.getvalue(), status)


def _rows(*argv: str, of: Sums | None = None) -> list[str]:
    outcome = _sreport("-n", "-P", *argv, of=of)
    assert outcome.status == 0, outcome.stderr
    return outcome.stdout.splitlines()


@pytest.mark.parametrize("command", [
    "sreport cluster utilization", "sreport cluster AccountUtilizationByUser start=now-1day", "sreport user top start=now-1day",
    "sreport -t percent cluster utilization", "sreport reservation utilization"])
def test_headings_and_columns_are_slurms(command: str) -> None:
    outcome = _sreport(*command.split()[1:], of=Sums(people=[], clusters=()))
    assert tuple(outcome.stdout.split("\n")[:-1]) == find("accounting", command).stdout


def test_a_reservation_is_shown_with_what_jobs_in_it_had_and_what_they_left() -> None:
    of = Sums()
    of.reservations = [ReservationRow(
        cluster="lab", id=3, name="night", start=0.0, end=7200.0, nodes="cn[1-2]", users=["anna"], tres={"cpu": 8}, seconds=7200,
        reserved={"cpu": 57_600}, allocated={"cpu": 14_400})]
    fields = "format=name,reservationid,start,tresname,trescount,allocated,idle,tres time,associations,nodes,totaltime"
    assert _rows("-t", "hourper", "reservation", "utilization", fields.replace("tres time", "trestime"), of=of) == [
        "night|3|1970-01-01T00:00:00|cpu|8|4(25.00%)|12(75.00%)|16(100.00%)|anna|cn[1-2]|2"]
    assert _rows("-T", "gres/gpu", "reservation", "utilization", of=of) == []


def _job(number: int, cpus: int, seconds: float, account: str = "root") -> JobRow:
    return JobRow("lab", number, JobRecord(
        id=JobId(number), uid=Uid(0), gid=Gid(0), user="root", group="root", account=account, wckey="red", state=JobState.COMPLETED,
        submit_time=NOW - HOUR, start_time=NOW - HOUR, end_time=NOW - HOUR + seconds, allocated={"cpu": cpus}, node_count=1))


def test_sizes_of_jobs_are_slurms() -> None:
    of = Sums(_job(1, 1, 20 * 60), _job(2, 73, 60))
    outcome = _sreport("job", "sizesbyaccount", of=of)
    assert tuple(outcome.stdout.split("\n")[:-1]) == find("accounting", "sreport job sizesbyaccount").stdout


def test_sizes_may_be_grouped_counted_and_split_by_account_and_wckey() -> None:
    of = Sums(_job(1, 1, 60), _job(2, 3, 60, "research"), _job(3, 8, 60, "research"))
    assert _sreport("job", "sizesbyaccount", "grouping=2,4", "flatview", "-P", of=of).stdout.splitlines()[4:] == [
        "Cluster|Account|0-1 CPUs|2-3 CPUs|>= 4 CPUs|Total Count|% of cluster", "lab|research|0|3|8|11|91.67%", "lab|root|1|0|0|1|8.33%"]
    assert _rows("job", "sizesbyaccount", "printjobcount", "grouping=individual", of=of) == ["lab|root|0|1|1|1|0|3|100.00%"]
    assert _rows("job", "sizesbywckey", of=of)[0].startswith("lab|red|")
    assert _rows("job", "sizesbyaccountandwckey", "accounts=root,research", "users=root", "partitions=debug", "nodes=cn[1-2]", of=of)[0].startswith("lab|research:red|")


def test_what_became_of_a_cluster_is_shown_in_the_unit_that_is_asked_for() -> None:
    assert _rows("cluster", "utilization") == ["lab|33333|1000|0|60666|1000|96000"]
    assert _rows("-t", "hours", "cluster", "util") == ["lab|555|16|0|1011|16|1600"]
    assert _rows("--time=percent", "cluster", "util") == ["lab|34.72%|1.04%|0.00%|63.19%|1.04%|100.00%"]
    assert _rows("-t", "SecPer", "cluster", "util")[0].startswith("lab|2000000(34.72%)|")


def test_other_resources_get_a_line_each() -> None:
    assert [row.split("|")[:2] for row in _rows("--tres=cpu,mem", "cluster", "utilization")] == [["lab", "cpu"], ["lab", "mem"]]
    assert [row.split("|")[1] for row in _rows("-T", "all", "cluster", "utilization")] == ["cpu", "mem", "energy"]
    outcome = _sreport("-T", "nosuch", "cluster", "utilization")
    assert (outcome.status, outcome.stderr.splitlines()[0]) == (1, "sreport: fatal: No valid TRES given")


def test_users_stand_below_their_accounts_with_sums() -> None:
    assert [row.split("|")[1:3] + row.split("|")[4:5] for row in _rows("cluster", "AccountUtilizationByUser")] == [
        ["root", "", "33333"], ["root", "root", "10000"], ["research", "", "20000"], ["research", "alice", "20000"],
        ["students", "", "3333"], ["students", "alice", "333"], ["students", "bob", "3000"]]
    tree = _sreport("cluster", "AccountUtilizationByUser", "tree").stdout.splitlines()
    assert tree[6].startswith("      lab root                 ") and tree[9].startswith("      lab   research               alice ")


def test_users_are_listed_by_what_they_used() -> None:
    assert [row.split("|")[1] for row in _rows("cluster", "UserUtilizationByAccount")] == ["alice", "root", "bob", "alice"]
    assert [row.split("|")[1] for row in _rows("user", "top", "topcount=2")] == ["alice", "root"]
    assert _rows("user", "top", "group", "-t", "minper")[0].startswith("lab|alice||research,students|20333(21.18%)|")


def test_wckeys_have_reports_too() -> None:
    assert _rows("cluster", "WCKeyUtilizationByUser") == ["lab|blue|alice||100", "lab|red|bob||200"]
    assert _rows("cluster", "UserUtilizationByWckey") == ["lab|bob||red|200", "lab|alice||blue|100"]


def test_conditions_reach_accounting() -> None:
    of = Sums()
    _sreport("--cluster=old", "user", "top", "start=2026-11-20T10:30", "end=2026-11-20T12:00", "accounts=research", "users=alice,bob", of=of)
    wanted = of.summed[0]
    assert (wanted.clusters, wanted.accounts, wanted.users, wanted.tres) == (["old"], ["research"], ["alice", "bob"], ["cpu", "energy"])
    assert (wanted.since, wanted.until) == (NOW - NOW % HOUR - 14 * HOUR, NOW - NOW % HOUR - 12 * HOUR)
    for argv in (["--all_clusters", "user", "top"], ["--all", "user", "top"], ["user", "top", "all_clusters"]):
        everywhere = Sums()
        _sreport(*argv, of=everywhere)
        assert everywhere.summed[0].all_clusters


def test_columns_may_be_chosen() -> None:
    assert _sreport("cluster", "utilization", "format=cluster,allocated%20,trescount", "--noheader").stdout == "      lab                33333         64 \n"
    assert _sreport("--parsable", "cluster", "utilization", "format=PlannedDown,idle").stdout.splitlines()[4] == "PLND Down|Idle|"


def test_reports_are_asked_for_at_a_prompt() -> None:
    outcome = _sreport("--quiet", "--verbose", stdin="parsable2\ntime hours\ncluster utilization format=allocated\n!!\nbogus\nnonparsable\nhelp\nexit\n")
    assert outcome.stdout.count("\n555\n") == 2 and "Usage: sreport" in outcome.stdout
    assert outcome.stderr.startswith("invalid keyword: bogus\n")


@pytest.mark.parametrize(("argv", "first"), [
    (["bogus"], "invalid keyword: bogus"), (["cluster"], "too few arguments for keyword:cluster"), (["cluster", "bogus"], "Not valid report bogus"),
    (["cluster", "utilization", "foo=bar"], " Unknown condition: foo=bar"), (["cluster", "utilization", "format=nosuch"], " Unknown field 'nosuch'"),
    (["cluster", "utilization", "start=bogus"], "Invalid time specification (pos=0): bogus"), (["-t", "foo", "cluster", "utilization"], "unknown time format foo")])
def test_what_is_wrong_is_said_as_slurm_says_it(argv: list[str], first: str) -> None:
    outcome = _sreport(*argv)
    assert (outcome.status, outcome.stdout, outcome.stderr.splitlines()[0]) == (1, "", first)
