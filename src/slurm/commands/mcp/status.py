"""`slurm mcp status`: whether the tools can be served, on which cluster they act, and how a client is told of them."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from importlib.metadata import version

from slurm.commands import which_cluster
from slurm.commands.embedded.console import Console
from slurm.commands.mcp.run import needed
from slurm.model.errors import SlurmError


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm mcp status`."""
    which_cluster.arguments(parser, slurmfile_flags=("-f",), json="print JSON")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Say it; exit status 0 when the tools can act, 1 when the cluster cannot be had."""
    needed()
    from slurm.mcp.server import TOOLS

    name, trouble = "", ""
    try:
        with which_cluster.told():
            meant = which_cluster.meant(options, environ)
            name = meant.name
            meant.backend.ask(["sinfo", "-h", "-o", "%P"])
    except SlurmError as error:
        trouble = "; ".join(error.lines())
    server = {"command": os.path.abspath(sys.argv[0]) if os.path.basename(sys.argv[0]) == "slurm" else "slurm",
              "args": ["mcp", "run", *(["--name", options.name] if options.name else []), *(["--env", options.env] if options.env else []),
                       *(["--slurmfile", os.path.abspath(options.slurmfile)] if options.slurmfile else [])]}
    if options.json:
        console.answer({"mcp": version("mcp"), "cluster": name, "answers": not trouble, "trouble": trouble, "tools": list(TOOLS),
            "client": {"slurm": server}})
        return 1 if trouble else 0
    console.line(f"package mcp {version('mcp')}, {len(TOOLS)} tools: {', '.join(TOOLS)}")
    console.line(f"cluster {name or 'none'}: {trouble or 'answers'}")
    console.line('for the configuration of a client ("mcpServers"):')
    console.line(json.dumps({"slurm": server}, indent=2))
    return 1 if trouble else 0
