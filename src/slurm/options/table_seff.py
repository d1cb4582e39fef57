"""Options of seff."""

from __future__ import annotations

from slurm.options.option import Option

OPTIONS: tuple[Option, ...] = (
    Option("clusters", "M", "list", commands="seff", metavar="NAME,...", env="SLURM_CLUSTERS", help="the job of this cluster"),
    Option("help", "h", commands="seff", help="show this help"),
    Option("usage", commands="seff", help="show the options in short"),
    Option("version", "V", commands="seff", help="show the version"),
)
