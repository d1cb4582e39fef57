"""Licences on real daemons: given, waited for, shown, explained, changed, given back."""

from __future__ import annotations

import pytest

from tests.system.machines import ALICE, Machines, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())
CONF = "Licenses=matlab:3,ansys:1\nSchedulerParameters=bf_interval=1\n"


def test_licences_go_from_job_to_job() -> None:
    with Machines(nodes=1, cpus=8, conf=CONF) as machines:
        machines.up()
        head = machines["head"]

        def submitted(words: str, wrap: str) -> str:
            return head.ok("sbatch", "--parsable", "-o", "/dev/null", "-t", "10", "-L", words, "--wrap", wrap, user=ALICE).strip()

        def state(job: str, fields: str = "%t %r %W") -> str:
            return head.ok("squeue", "-h", "-j", job, "-o", fields).strip()

        first = submitted("matlab:2,ansys", "sleep 600")
        machines.until(lambda: state(first) == "R None matlab:2,ansys", why="the first job does not run")
        waits, other = submitted("matlab:2", "sleep 600"), submitted("ansys|matlab", "echo $SLURM_JOB_LICENSES; sleep 600")
        machines.until(lambda: state(waits) == "PD Licenses matlab:2" and state(other) == "R None ansys|matlab", why="nobody waits for licences")
        assert "LicensesAlloc=matlab:1" in head.ok("scontrol", "show", "job", other)
        assert head.ok("scontrol", "show", "licenses") == (
            "LicenseName=ansys\n    Total=1 Used=1 Free=0 Reserved=0 Remote=no\nLicenseName=matlab\n    Total=3 Used=3 Free=0 Reserved=0 Remote=no\n")
        told = head.ok("slurm", "explain", waits)
        assert f"matlab: 3 of 3 in use, held by job {first} until" in told and "It is expected to start" in told
        refused = head.run("sbatch", "-L", "nosuch:1", "--wrap", "true", user=ALICE)
        assert refused.status == 1 and "Batch job submission failed: Invalid license specification" in refused.err
        head.ok("scontrol", "update", f"jobid={waits}", "licenses=ansys", user=ALICE)
        head.ok("scancel", first, user=ALICE)
        machines.until(lambda: state(waits) == "R None ansys", why="the licence does not come back")
        assert "Total=3 Used=1 Free=2" in head.ok("scontrol", "show", "licenses")
        assert set(head.ok("squeue", "-h", "-L", "ansys", "-o", "%i").split()) == {waits, other}
