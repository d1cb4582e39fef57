"""Options of sacctmgr; what its words mean is in `policy_keys`."""

from __future__ import annotations

from slurm.options.option import Option

OPTIONS: tuple[Option, ...] = (
    Option("associations", "s", commands="sacctmgr", help="show associations with accounts, users and clusters"),
    Option("help", "h", commands="sacctmgr", help="show this help"),
    Option("immediate", "i", commands="sacctmgr", help="commit changes without asking"),
    Option("json", "", "text", commands="sacctmgr", optional="", help="what is shown as JSON"),
    Option("noheader", "n", commands="sacctmgr", help="no header lines"),
    Option("oneliner", "o", commands="sacctmgr", harmless="a record is one line anyway", help="one line a record"),
    Option("parsable", "p", commands="sacctmgr", help="fields with | between and at the end"),
    Option("parsable2", "P", commands="sacctmgr", help="fields with | between"),
    Option("quiet", "Q", commands="sacctmgr", help="print nothing but what is asked for and errors"),
    Option("readonly", "r", commands="sacctmgr", help="change nothing"),
    Option("usage", commands="sacctmgr", help="show the options in short"),
    Option("verbose", "v", "level", commands="sacctmgr", harmless="everything is said anyway", help="say more"),
    Option("version", "V", commands="sacctmgr", help="show the version"),
    Option("yaml", "", "text", commands="sacctmgr", optional="", help="what is shown as YAML"),
)
