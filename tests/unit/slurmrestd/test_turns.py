"""However much one user asks for, threads are left for the others."""

from __future__ import annotations

import asyncio

import anyio.to_thread

from slurm.slurmrestd.turns import Turns


def test_one_user_has_half_of_the_threads_and_another_goes_on_at_once() -> None:
    async def scene() -> None:
        anyio.to_thread.current_default_thread_limiter().total_tokens = 4
        turns, inside, go = Turns(), [], asyncio.Event()

        async def ask(user: str) -> None:
            async with turns.of(user):
                inside.append(user)
                await go.wait()

        tasks = [asyncio.create_task(ask("alice")) for _ in range(10)] + [asyncio.create_task(ask("bob"))]
        for _ in range(5):
            await asyncio.sleep(0)
        assert sorted(inside) == ["alice", "alice", "bob"]
        go.set()
        await asyncio.gather(*tasks)
        assert inside.count("alice") == 10
        assert not turns._inside and not turns._places, "nothing is kept of who has gone"

    asyncio.run(scene())
