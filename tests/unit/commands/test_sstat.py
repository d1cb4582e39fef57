"""sstat as a command: which steps it shows, with which fields, against the recorded session, and how it complains."""

import io

import pytest

from slurm.commands import sstat
from slurm.commands.shell import Shell
from tests.compat import past
from tests.compat.lab import Outcome
from tests.compat.transcript import find

MB = 1024 * 1024


def _used(value: int, node: str = "cn01", task: int = 0) -> dict[str, object]:
    extreme = [value, node, task]
    names = ("value", "node", "task")
    one = dict(zip(names, extreme, strict=True))
    return {"total": value, "tasks": 1, "most": one, "least": one}


BATCH = {
    "job_id": 86, "step": "86.batch", "nodes": "cn01", "ntasks": 1, "usage": {
        "taken": {"cpu": _used(0), "energy": _used(0), "fs/disk": _used(11087), "mem": _used(3176 * 1024), "pages": _used(0), "vmem": _used(5512 * 1024)},
        "given": {"energy": _used(0), "fs/disk": _used(MB + 512)}}}
SRUN = {"job_id": 86, "step": "86.0", "nodes": "cn[01-02]", "ntasks": 2, "allocated": {"cpu": 2, "mem": 1024, "node": 2},
        "usage": {"taken": {"mem": _used(5 * MB, "cn02", 1)}}, "pids": [
            {"node": "cn01", "pid": 11, "task": 0}, {"node": "cn01", "pid": 12, "task": -1}, {"node": "cn02", "pid": 21, "task": 1}], "silent": "cn03", "sluid": "s6H2QB7XNC0001"}
REFUSED = {
    "7": ["7", "ESLURM_ALREADY_DONE", "Job/step already completed"], "8": ["8", "ESLURM_JOB_PENDING", "Job is pending execution"],
    "9": ["9", "ESLURM_ACCESS_DENIED", "Access/permission denied"]}


class Running:
    """A connection that answers what runs."""

    def __init__(self, *steps: dict[str, object]) -> None:
        self.steps = steps

    def call(self, message: dict[str, object]) -> dict[str, object]:
        """The steps that the ids mean."""
        ids = message["ids"]
        assert message["type"] == "FindUsage" and isinstance(ids, list)
        found = [step for step in self.steps if step["step"] in ids or str(step["job_id"]) in ids]
        unknown = [[one, "ESLURM_INVALID_JOB_ID", "Invalid job id specified"] for one in ids if one not in REFUSED and not found]
        return {"type": "UsageFound", "steps": found, "refused": [REFUSED[one] for one in ids if one in REFUSED] + unknown}

    def send(self, message: dict[str, object]) -> None:
        """Nobody sends anything."""

    def receive(self, timeout: float | None = None) -> dict[str, object]:
        """Nothing comes."""
        return {}

    def close(self) -> None:
        """Nothing to close."""


def _sstat(*argv: str, steps: tuple[dict[str, object], ...] = (BATCH, SRUN)) -> Outcome:
    out, err = io.StringIO(), io.StringIO()
    shell = Shell("sstat", argv, {}, io.BytesIO(), out, err, connect=lambda environ: Running(*steps), now=lambda: past.NOW)
    status = sstat.main(shell)
    return Outcome(out.getvalue(), err.getvalue(), status)


def test_of_a_job_whose_script_alone_runs_nothing_is_shown_but_a_hint() -> None:
    outcome = _sstat("-j", "86", "-o", "JobID,AveCPU,MaxRSS", steps=(BATCH,))
    assert tuple(outcome.stdout.split("\n")[:-1]) == find("accounting", "sstat -j 86 -o JobID,AveCPU,MaxRSS").stdout
    assert "sstat -j 86.batch" in outcome.stderr and outcome.status == 0


def test_every_step_has_slurms_text() -> None:
    theirs = find("accounting", "sstat -a -j 86").stdout
    ours = _sstat("--allsteps", "--jobs=86", steps=(BATCH,)).stdout.split("\n")[:-1]
    assert ours[:2] == list(theirs[:2])
    # Slurm had looked at the frequency, and shows the rank of the task with the most CPU time as a length of time.
    expected = theirs[2].replace("     2.60M             0", "                       0").replace("cpu=00:00:00,fs/d+ cpu=00:00:00,+ cpu=cn01", "cpu=0,fs/disk=0,m+ cpu=00:00:00,+ cpu=cn01")
    expected = expected.replace("cpu=cn01,energy=c+ cpu=00:00:00,fs/d+ cpu=00:00:00,+ energy", "cpu=cn01,energy=c+ cpu=0,fs/disk=0,m+ cpu=00:00:00,+ energy")
    assert ours[2] == expected


def test_without_a_step_the_lowest_numbered_is_shown() -> None:
    assert _sstat("-n", "-P", "-j", "86", "--format=jobid,maxrss,maxrssnode,maxrsstask,alloctres,reqcpufreq,sluid").stdout == "86.0|5M|cn02|1|cpu=2,mem=1G,node=2|0|s6H2QB7XNC0001\n"
    assert _sstat("--noheader", "--parsable2", "--fields=jobid", "86.batch").stdout == "86.batch\n"


def test_numbers_may_stay_as_they_were_measured() -> None:
    assert _sstat("-n", "-p", "--noconvert", "-j", "86.0", "-o", "maxrss,alloctres").stdout == "5242880|cpu=2,mem=1024M,node=2|\n"


def test_processes_are_shown_by_node() -> None:
    assert _sstat("--pidformat", "-j", "86.0").stdout.splitlines()[2:] == [
        "86.0                         cn01                11,12 ", "86.0                         cn02                   21 "]


def test_nodes_that_did_not_answer_are_named_when_asked() -> None:
    assert _sstat("--verbose", "-j", "86.0").stderr == "sstat: cn03 did not answer in time about step 86.0\n"


@pytest.mark.parametrize(("job", "first"), [
    ("7", "sstat: error: No steps running for job 7"), ("8", "sstat: error: No steps running for job 8"), ("9999", "sstat: error: couldn't get steps for job 9999"),
    ("9", "sstat: error: couldn't get steps for job 9: Access/permission denied")])
def test_jobs_without_steps_are_named(job: str, first: str) -> None:
    outcome = _sstat("-j", job)
    assert outcome.stderr.splitlines()[0] == first and outcome.status == 0


def test_what_is_wrong_is_said_as_slurm_says_it() -> None:
    assert (_sstat().status, _sstat().stderr.splitlines()[0]) == (1, "sstat: error: You didn't give me any jobs to stat.")
    assert _sstat("-j", "abc").stderr.splitlines()[0] == "sstat: fatal: Bad job/step specified: abc"
    assert _sstat("-o", "foo", "-j", "1").stderr.splitlines()[0] == 'sstat: error: Invalid field requested: "foo"'


def test_the_fields_are_listed() -> None:
    assert _sstat("--helpformat").stdout.splitlines()[0].split() == ["AllocTRES", "AveCPU", "AveCPUFreq", "AveDiskRead"]
