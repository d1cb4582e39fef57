"""What sattach is told of a step: where it is, and a credential that opens it for the one who asked, for a moment."""

from __future__ import annotations

from slurm.net.signing import Checker
from slurm.wire import step_credential
from tests.cluster.slurmctld.conftest import ALICE, BOB, Play, Stage


def test_the_credential_names_the_step_and_who_asked_and_expires_soon(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        alice = s.client(ALICE)
        job = await alice.submit()
        await s.until(lambda: s.state(job) == "RUNNING")
        granted = await alice.ask("CreateStep", job_id=job, request={"ntasks": 1})
        found = await alice.ask("FindStep", job_id=str(job), step_id=granted["step_id"])
        credential = step_credential.opened_to_attach(found["credential"], Checker(s.ctl.signer.public).genuine)
        assert (credential.job, credential.attempt, credential.step, credential.uid) == (job, 1, granted["step_id"], ALICE)
        assert credential.expires - s.ctl.now() <= 120 and abs(credential.issued - s.ctl.now()) < 30
        refused = await s.client(BOB).ask("FindStep", job_id=str(job), step_id=granted["step_id"])
        assert refused["type"] == "Failure" and "credential" not in refused

    play(scene)
