"""The task that trains: gradient descent on points of the line y = 3 x - 1, with a checkpoint that a requeued job goes on from."""

import random
from pathlib import Path

from slurm import task

from .state import State, load, save

STEPS_BETWEEN_CHECKPOINTS = 20


@task(time="00:05:00", mem="200M")
def train(begin: State, steps: int, folder: str) -> State:
    """So many steps more. The checkpoint bears the name of the goal, so another job never takes it for its own."""
    goal = begin.step + steps
    checkpoint = Path(folder, f"until-{goal}.json")
    state = load(checkpoint) or begin
    print(f"training from step {state.step} to {goal}")
    while state.step < goal:
        state = improved(state)
        if state.step % STEPS_BETWEEN_CHECKPOINTS == 0 or state.step == goal:
            save(checkpoint, state)
    return state


def improved(state: State, rate: float = 0.1) -> State:
    """One step, on points that its number decides: after a restart they are the same."""
    chance = random.Random(state.step)
    points = [(x, 3 * x - 1 + chance.gauss(0, 0.1)) for x in (chance.uniform(-1, 1) for _ in range(16))]
    errors = [(state.weight * x + state.bias - y, x) for x, y in points]
    return State(state.step + 1, state.weight - rate * sum(2 * error * x for error, x in errors) / 16,
                 state.bias - rate * sum(2 * error for error, _ in errors) / 16)
