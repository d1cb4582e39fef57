"""Questions for files: one node answers, in time, and nobody asks for too many."""

from __future__ import annotations

import asyncio

import pytest

from slurm.model.errors import NotNow, Unreachable
from slurm.model.ids import NodeName
from slurm.slurmctld.file_reads import MOST_OF_A_USER, FileReads
from slurm.wire.messages import Message
from slurm.wire.output_messages import FileRead, ReadFile

CN01, CN02 = NodeName("cn01"), NodeName("cn02")


def _order() -> ReadFile:
    return ReadFile(number=0, path="/out", uid=1001, gid=1001, user="alice")


def test_the_node_that_was_asked_answers_and_no_other() -> None:
    sent: list[ReadFile] = []

    def send(node: NodeName, message: Message) -> bool:
        assert isinstance(message, ReadFile)
        sent.append(message)
        return node == CN01

    async def main() -> None:
        reads = FileReads(send, patience=5.0)
        asking = asyncio.ensure_future(reads.ask(CN01, _order(), uid=1001, first=False))
        await asyncio.sleep(0)
        reads.told(CN02, FileRead(number=sent[0].number, data=b"forged"))
        reads.told(CN01, FileRead(number=99, data=b"never asked"))
        assert not asking.done()
        reads.told(CN01, FileRead(number=sent[0].number, data=b"hello", size=5))
        reads.told(CN01, FileRead(number=sent[0].number, data=b"twice"))
        assert (await asking).data == b"hello"
        with pytest.raises(Unreachable, match="cn02 is not connected"):
            await reads.ask(CN02, _order(), uid=1001, first=False)
        failing = asyncio.ensure_future(reads.ask(CN01, _order(), uid=1001, first=False))
        await asyncio.sleep(0)
        reads.told(CN01, FileRead(number=sent[-1].number, error="/out: Permission denied"))
        with pytest.raises(NotNow, match="Permission denied"):
            await failing
        assert not reads._questions and not reads._of_user

    asyncio.run(main())


def test_a_silent_node_is_waited_for_so_long_and_one_user_asks_for_so_many() -> None:
    async def main() -> None:
        reads = FileReads(lambda node, message: True, patience=0.05)
        asking = [asyncio.ensure_future(reads.ask(CN01, _order(), uid=1001, first=False)) for _ in range(MOST_OF_A_USER)]
        await asyncio.sleep(0)
        with pytest.raises(NotNow, match="too many files"):
            await reads.ask(CN01, _order(), uid=1001, first=False)
        other = asyncio.ensure_future(reads.ask(CN01, _order(), uid=1002, first=False))
        for each in (*asking, other):
            with pytest.raises(Unreachable, match="has not answered"):
                await each

    asyncio.run(main())
