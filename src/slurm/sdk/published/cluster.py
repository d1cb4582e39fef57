"""Names of `slurm.cluster` in the published SDK that ours has in other modules.

`create_backend` stands in `sdk.cluster`, which calls it.
"""

from __future__ import annotations

import logging

from slurm.sdk.packaging.choice import get_packaging_strategy

__all__ = ["get_packaging_strategy", "logger"]

logger = logging.getLogger("slurm.cluster")
"""Theirs, for handlers and levels that a program sets. Ours says what it has to say as exceptions and warnings."""
