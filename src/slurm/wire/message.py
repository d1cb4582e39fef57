"""What all messages are, and what several of them hold."""

from __future__ import annotations

from typing import Annotated

import msgspec

from slurm.model import bounds
from slurm.model.bounds import Many, Word

Changes = Annotated[dict[Word, Annotated[str, bounds.Text(131_072, plain=False)]], Many(64)]
"""Keys of `scontrol update` and their texts; what they set has the bounds of its field."""


class Message(msgspec.Struct, kw_only=True, omit_defaults=True, tag=True):
    """A request or a reply."""
