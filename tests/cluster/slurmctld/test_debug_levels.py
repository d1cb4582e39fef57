"""scontrol setdebug and setdebugflags: how much slurmctld logs, while it runs."""

import logging

from tests.cluster.slurmctld.conftest import ROOT, Play, Stage


def test_the_level_and_flags_hold_at_once_and_until_the_configuration_is_read_again(play: Play) -> None:
    async def shown(s: Stage) -> list[str]:
        text = (await s.client(ROOT).ask("Describe", what="config"))["text"]
        return [line.split("= ")[1].strip() for line in text.splitlines() if line.startswith(("DebugFlags ", "SlurmctldDebug "))]

    async def scene(s: Stage) -> None:
        was, level = s.ctl.verbosity, logging.getLogger().level
        try:
            before = await shown(s)
            for fields in ({"level": "debug2"}, {"flags": ["+backfill", "+Steps"]}, {"flags": ["-steps"]}):
                assert (await s.client(ROOT).ask("SetDebug", **fields))["type"] == "Done"
            assert await shown(s) == ["Backfill", "debug2"]
            assert logging.getLogger("slurmctld.planner").isEnabledFor(logging.DEBUG) and logging.getLogger().level == 9
            reply = await s.client(ROOT).ask("SetDebug", level="loud")
            assert (reply["type"], reply["message"]) == ("Failure", "invalid debug level: loud")
            reply = await s.client(ROOT).ask("SetDebug", flags=["+foo"])
            assert reply["message"] == "Invalid DebugFlag: foo"
            told = await s.client(ROOT).ask("SetDebug", flags=["+gang"])
            assert told["lines"] == ["Gang: this daemon has no log lines of that kind"]
            assert await shown(s) == ["Backfill,Gang", "debug2"] and before != await shown(s)
        finally:
            was.apply()
            logging.getLogger().setLevel(level)

    play(scene)
