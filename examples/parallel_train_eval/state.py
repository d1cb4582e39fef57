"""The state of a training, and how it lies on disk: whole or not at all, so that a job may be killed at any moment."""

import json
import os
from pathlib import Path
from typing import NamedTuple


class State(NamedTuple):
    """A line y = weight * x + bias after so many steps."""

    step: int = 0
    weight: float = 0.0
    bias: float = 0.0


def save(path: Path, state: State) -> None:
    """Written beside and renamed, which is one indivisible act."""
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(state))
    os.replace(draft, path)


def load(path: Path) -> State | None:
    """What was saved; None when nothing was."""
    return State(*json.loads(path.read_text())) if path.exists() else None
