"""Workloads under several configurations: what `slurm sim` reads, changes, compares and draws."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from slurm.commands import slurm as command
from slurm.core.cluster import Cluster
from slurm.core.effects import Effect
from slurm.core.events import Caller, Event
from slurm.journal import codec
from slurm.model.errors import ConfigError, InvalidRequest, NotFound, StoreError
from slurm.model.ids import Gid, Uid
from slurm.model.request import JobRequest
from slurm.sim import cases, machine, measures, sacct_dump, state_folder, swf
from slurm.sim.engine import Arrival, Breakdown, Outcome, Simulator
from slurm.store.journal import Record
from slurm.store.sqlite_journal import SqliteJournal
from slurm.testing import builders as b

TRACE = Path(__file__).parent / "kth_slice.swf"
DUMP = """JobID|User|Account|Partition|QOS|Submit|Start|End|Timelimit|NNodes|NCPUS|ReqMem|State
1|ada|a|all|normal|2026-11-01T08:00:00|2026-11-01T08:00:01|2026-11-01T09:00:01|02:00:00|2|2|1M|COMPLETED
2_1|bob|a|all|normal|2026-11-01T07:00:10|2026-11-01T08:00:12|2026-11-01T08:30:12|UNLIMITED|1|1|1Gn|FAILED
3|bob|a|all|normal|2026-11-01T08:00:20|2026-11-01T09:00:12|2026-11-01T09:30:12|Partition_Limit|4|64|2Gc|COMPLETED
3.batch|||||2026-11-01T09:00:12|2026-11-01T09:00:12|2026-11-01T09:30:12||1|16||COMPLETED
5|bob|a|all|normal|2026-11-01T08:00:20|Unknown|2026-11-01T09:30:12|UNLIMITED|4|64|1Gc|CANCELLED by 1
"""


def arrival(at: float, cpus: int, run: float, limit: int | None = None) -> Arrival:
    request = JobRequest(name=f"j{at:g}", work_dir="/", ntasks=cpus, time_limit=limit or int(run))
    return Arrival(b.T0 + at, request, Caller(uid=Uid(1000), gid=Gid(1000), user="ada", group="ada"), run)


def case(*changes: str, nodes: int = 1, cpus: int = 4, **seeded: float) -> cases.Case:
    return cases.of_changes("x", machine.equal_nodes(nodes, cpus), "", changes, **seeded)


def test_behind_the_first_that_waits_the_shortest_go_first_where_that_is_asked_for() -> None:
    # The first has three CPUs, the second waits for four; of the others only one fits at a time.
    jobs = [arrival(0, 3, 1000), arrival(1, 4, 100), arrival(2, 1, 400), arrival(2, 1, 100)]
    starts = {}
    for order in ("priority", "shortest"):
        found = {one.job: one.started - b.T0 for one in cases.simulate(case(f"BackfillOrder={order}"), jobs).outcomes}
        starts[order] = [round(found[job]) for job in sorted(found)]
    assert starts == {"priority": [0, 1000, 2, 402], "shortest": [0, 1000, 102, 2]}


def test_a_node_that_fails_has_its_job_run_again_from_the_beginning() -> None:
    c = machine.cluster(machine.configured(machine.equal_nodes(1, 4)), b.T0)
    simulator = Simulator(c, [arrival(0, 4, 1000)], breakdowns=[Breakdown(b.T0 + 600, next(iter(c.nodes)), 300)])
    [outcome] = simulator.run()
    assert (outcome.state, outcome.restarts) == ("COMPLETED", 1)
    assert outcome.ended - outcome.started == pytest.approx(1000)
    assert outcome.started - b.T0 >= 900


def test_what_the_cluster_would_refuse_is_noted_and_the_rest_goes_on() -> None:
    result = cases.simulate(case(), [arrival(0, 5, 10), arrival(1, 4, 10)])
    assert (result.summary.jobs, result.summary.refused) == (1, 1)
    assert result.refusals == ["j0: it never started: PartitionConfig"]


def test_the_numbers_of_a_run_are_those_one_counts_by_hand() -> None:
    found = measures.summary([Outcome(b.JobId(1), 0, 0, 100, 2), Outcome(b.JobId(2), 0, 100, 200, 4), Outcome(b.JobId(3), 50, 200, 205, 1)], 4)
    assert (found.jobs, found.span, found.longest_queue, found.longest_wait, found.median_wait) == (3, 205, 2, 150, 100)
    assert found.utilisation == pytest.approx((200 + 400 + 5) / (4 * 205))
    assert found.slowdown == pytest.approx((1 + 2 + 15.5) / 3)
    assert found.mean_queue == pytest.approx(250 / 205)
    assert measures.confidence([1.0, 3.0]) == pytest.approx((2.0, 12.71))
    assert measures.confidence([5.0]) == (5.0, 0.0)


def test_other_seeds_move_submissions_and_the_same_seed_gives_the_same() -> None:
    jobs = [arrival(100 * place, 4, 90) for place in range(20)]
    by_seed = [[one.submitted for one in cases.simulate(case(seed=seed, jitter=60.0), jobs).outcomes] for seed in (0, 1, 1, 2)]
    assert by_seed[1] == by_seed[2] and len({tuple(one) for one in by_seed}) == 3
    assert by_seed[0] == [one.at for one in jobs]


def test_a_dump_of_sacct_becomes_what_was_submitted() -> None:
    found = list(sacct_dump.read(DUMP.splitlines()))
    assert [(one.request.name, one.run_seconds, one.request.time_limit, one.request.ntasks, one.request.nodes_min) for one in found] == [
        ("job2_1", 1800, -1, 1, 1), ("job1", 3600, 7200, 2, 2), ("job3", 1800, 1801, 64, 4)]
    assert [(one.request.mem_per_node, one.request.mem_per_cpu) for one in found] == [(1024, None), (1, None), (None, 2048)]
    assert found[0].caller.user == "bob" and found[0].caller.uid == found[2].caller.uid != found[1].caller.uid
    assert [one.request.time_limit for one in sacct_dump.read(DUMP.splitlines(), exact=True)] == [1801, 3601, 1801]


@pytest.mark.parametrize(("text", "words"), [
    ("JobID|User\n", "Submit, Start, End"), (DUMP + "9|x\n", "line 7 has 2 columns of 13"),
    (DUMP.replace("2026-11-01T08:00:01", "2026-13-01"), "line 2 cannot be read")])
def test_what_is_no_dump_is_told_by_its_line(text: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        list(sacct_dump.read(text.splitlines()))


def test_lines_of_nodes_are_added_and_other_keys_are_replaced() -> None:
    found = case("NodeName=new[1-2] CPUs=8", "MaxJobCount=7", "maxjobcount=9", nodes=3)
    conf = machine.configured(found.text)
    assert (len(conf.nodes), conf.number("MaxJobCount")) == (5, 9)


@pytest.mark.parametrize(("change", "kind"), [("x", InvalidRequest), ("=3", InvalidRequest), ("BackfillOrder=longest", InvalidRequest)])
def test_a_change_that_is_none_is_refused(change: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        case(change)


def test_files_beside_the_configuration_count(tmp_path: Path) -> None:
    (tmp_path / "gres.conf").write_text("NodeName=n[1-2] Name=gpu Count=2\n")
    text = machine.equal_nodes(2, 4) + "GresTypes=gpu\n"
    made = machine.cluster(machine.configured(text.replace("RealMemory=1 ", "RealMemory=1 Gres=gpu:2 "), str(tmp_path)), b.T0)
    assert [node.gres[0].count for node in made.nodes.values()] == [2, 2]
    with pytest.raises(ConfigError):
        machine.configured("NodeName=\n")


def called(*words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status = command.main(["sim", *words])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_the_command_compares_draws_and_writes_what_became_of_each_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "trace.swf.gz"
    with gzip.open(trace, "wt") as file:
        file.write("; MaxProcs: 100\n; UnixStartTime: 843480031\n" + TRACE.read_text())
    picture, jobs = tmp_path / "x.svg", tmp_path / "jobs"
    status, out, err = called(str(trace), "--jobs", "60", "--versus", "SchedulerType=sched/builtin; NodeName=x", "-o", str(picture),
        "--outcomes", str(jobs), capsys=capsys)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "60 jobs on 100 nodes with 100 CPUs"
    assert [line.split("  ")[0] for line in lines[1:]] == ["RUN", "as configured", "SchedulerType=sched/builtin; NodeName=x"]
    assert ElementTree.fromstring(picture.read_text()).tag.endswith("svg")
    assert picture.read_text().count("<polyline") == 8
    rows = [line.split("|") for line in jobs.read_text().splitlines()]
    assert len(rows) == 61 and rows[0][:2] == ["job", "user"] and float(rows[1][3]) > 843480031


def test_the_command_answers_programs_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = called(str(TRACE), "--nodes", "100", "--jobs", "20", "--seeds", "2", "--failures", "0.01", "--json", capsys=capsys)
    found = json.loads(out)
    assert status == 0 and [len(run["seeds"]) for run in found["runs"]] == [2]
    assert found["runs"][0]["seeds"][0]["jobs"] == 20


@pytest.mark.parametrize(("words", "said"), [
    (("nothing.swf",), "No such file"), ((str(TRACE),), "how large is the cluster"), ((str(TRACE), "--nodes", "5", "--seeds", "0"), "--seeds"),
    ((str(TRACE), "-f", "nothing.conf"), "nothing.conf"), ((str(TRACE), "--nodes", "5", "--repair", "soon"), "soon is no time"),
    ((str(TRACE.parent),), "no StateSaveLocation")])
def test_what_is_wrong_with_a_call_is_said(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = called(*words, capsys=capsys)
    assert status != 0 and said in err and not out


def test_a_state_folder_gives_what_ran_runs_and_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[Event] = []

    class Noted(Cluster):
        def apply(self, event: Event) -> list[Effect]:
            happened.append(event)
            return super().apply(event)

    monkeypatch.setattr(b, "Cluster", Noted)
    c = b.cluster(nodes=1, cpus=4)
    ended = b.started(c, "cn01", name="ended", time_limit=600)
    b.finish(c, ended, at=b.T0 + 60)
    b.started(c, "cn01", name="runs", time_limit=900)
    b.submit(c, name="waits", array="1-3", time_limit=1200)
    journal = SqliteJournal(str(tmp_path / "journal.db"), cluster="lab", now=b.T0)
    journal.append([Record(event.at, type(event).__name__, codec.encode(event)) for event in happened])
    try:
        found = state_folder.read(str(tmp_path))  # while slurmctld has it
    finally:
        journal.close()
    assert sorted((one.request.name, one.run_seconds) for one in found) == [("ended", 60), ("runs", 900), *[("waits", 1200)] * 3]
    assert state_folder.is_one(str(tmp_path)) and not state_folder.is_one(str(tmp_path.parent))


def test_a_journal_without_jobs_or_that_is_none_is_told(tmp_path: Path) -> None:
    SqliteJournal(str(tmp_path / "journal.db"), cluster="lab", now=b.T0).close()
    with pytest.raises(NotFound, match="knows no jobs"):
        state_folder.read(str(tmp_path))
    (tmp_path / "journal.db").write_bytes(b"no database at all, but long enough for one to be looked for" * 100)
    with pytest.raises(StoreError, match="cannot be read"):
        state_folder.read(str(tmp_path))


@pytest.mark.parametrize("field", ["nan", "inf", "-inf", "1e300", "1e14"])
@pytest.mark.parametrize("place", [swf.SUBMIT, swf.RUN, swf.PROCESSORS, swf.TIME, swf.USER])
def test_a_trace_with_numbers_that_are_none_names_its_line(field: str, place: int) -> None:
    words = ["1", "0", "0", "10", "4", "0", "0", "4", "100", *["1"] * 9]
    words[place] = field
    with pytest.raises(InvalidRequest, match="line 1 is no job"):
        list(swf.read([" ".join(words)]))
    with pytest.raises(InvalidRequest) as caught:
        list(swf.read(["x" * 100_000]))
    assert len(caught.value.hints[0]) < 1000


def test_a_job_that_ended_before_it_started_is_named() -> None:
    head = "JobID|Submit|Start|End"
    with pytest.raises(InvalidRequest, match="line 2 cannot be read: it ended at 2026-01-01T00:00:00, before it started"):
        sacct_dump.read([head, "1|2026-01-01T00:00:00|2026-01-01T00:01:00|2026-01-01T00:00:00"])
