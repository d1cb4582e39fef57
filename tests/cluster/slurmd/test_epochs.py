"""A node and the terms of its controllers: what an earlier one orders is not done, and said so to both."""

from __future__ import annotations

from slurm.wire import node_messages as n

SCRIPT = "#!/bin/bash\necho ran\n"


def overruled(stage):
    return [message.epoch for message in stage.heard if isinstance(message, n.Overruled)]


def test_an_order_of_an_earlier_epoch_is_refused_in_the_log_and_the_controller_told(run):
    async def scene(stage):
        stage.send(stage.batch(1, SCRIPT, epoch=4))
        await stage.until(lambda: overruled(stage) == [5])
        await stage.until(lambda: len(stage.registrations) == 2)  # it looks for the one that leads
        stage.send(stage.batch(2, SCRIPT))
        await stage.ended(2)
        assert not stage.reports(n.BatchLaunched, 1)
        assert not (stage.root / "out-1").exists()
        said = (stage.root / "slurmd.out").read_text()
        assert "order refused: LaunchBatch of job 1 attempt 1 is of a slurmctld of epoch 4; this node is of epoch 5" in said
    run.stage.epoch = 5
    run(scene)


def test_a_slurmd_that_was_restarted_does_not_register_with_a_controller_that_was_deposed(run):
    async def scene(stage):
        await stage.until((stage.spool / "epoch.json").exists)
        stage.kill_slurmd()
        stage.epoch = 4
        stage.start_slurmd()
        await stage.until(lambda: overruled(stage))
        assert overruled(stage)[0] == 5
        stage.epoch = 6
        count = len(stage.registrations)
        await stage.until(lambda: len(stage.registrations) > count)
        stage.send(stage.batch(3, SCRIPT))
        await stage.ended(3)
    run.stage.epoch = 5
    run(scene)
