"""Options of scontrol; what follows them (show, update, hold ...) is read by the command itself."""

from __future__ import annotations

from slurm.options.option import Option

_NO_FEDERATION = "there is no federation, so everything is local"

OPTIONS: tuple[Option, ...] = (
    Option("all", "a", commands="scontrol", env="SCONTROL_ALL", help="hidden partitions too"),
    Option("cluster", "M", "text", commands="scontrol", metavar="NAME", help="the same as --clusters"),
    Option("clusters", "M", "text", commands="scontrol", metavar="NAMES", env="SLURM_CLUSTERS",
           help="which cluster to ask"),
    Option("details", "d", commands="scontrol", help="show more"),
    Option("federation", commands="scontrol", env="SCONTROL_FEDERATION", harmless=_NO_FEDERATION, help="jobs of the whole federation"),
    Option("future", "F", commands="scontrol", env="SCONTROL_FUTURE", help="nodes in state FUTURE too"),
    Option("help", "h", commands="scontrol", help="show this help"),
    Option("hide", commands="scontrol", help="no hidden partitions"),
    Option("json", "", "text", commands="scontrol", optional="", help="show everything as JSON"),
    Option("local", commands="scontrol", env="SCONTROL_LOCAL", harmless=_NO_FEDERATION, help="jobs of this cluster only"),
    Option("oneliner", "o", commands="scontrol", help="one line a record"),
    Option("quiet", "Q", "level", commands="scontrol", help="no warnings, no messages"),
    Option("sibling", commands="scontrol", env="SCONTROL_SIBLING", harmless=_NO_FEDERATION, help="siblings of federated jobs"),
    Option("uid", "u", "text", commands="scontrol", metavar="USER", refused="a change is made as the user that asks for it",
           help="act as another user"),
    Option("usage", commands="scontrol", help="show the options in short"),
    Option("verbose", "v", "level", commands="scontrol", help="say more"),
    Option("version", "V", commands="scontrol", help="show the version"),
    Option("yaml", "", "text", commands="scontrol", optional="", help="show everything as YAML"),
)
