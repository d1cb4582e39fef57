"""`slurm.logging`: the log of a program, as the published SDK's programs ask for it."""

from __future__ import annotations

import logging

__all__ = ["configure_logging"]

_LOUD = ("asyncssh", "paramiko")
"""Libraries whose information is about every packet."""


def configure_logging(level: int = logging.INFO, use_rich: bool = True) -> None:
    """Write the log of this process to standard error from `level` on, in place of what was set up before; with colours where rich can."""
    handler: logging.Handler
    if use_rich:
        from rich.console import Console
        from rich.logging import RichHandler

        handler, form = RichHandler(console=Console(stderr=True), show_path=False), "%(message)s"
    else:
        handler, form = logging.StreamHandler(), "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=level, handlers=[handler], format=form, force=True)
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.WARNING)
