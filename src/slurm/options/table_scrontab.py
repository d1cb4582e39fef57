"""Options of scrontab."""

from __future__ import annotations

from slurm.options.option import Option

OPTIONS: tuple[Option, ...] = (
    Option("edit", "e", commands="scrontab", help="change the crontab in an editor: VISUAL, else EDITOR, else vi"),
    Option("help", "h", commands="scrontab", help="show this help"),
    Option("list", "l", commands="scrontab", help="show the crontab"),
    Option("remove", "r", commands="scrontab", help="remove the crontab: what runs goes on, and nothing runs again"),
    Option("usage", commands="scrontab", help="show the options in short"),
    Option("user", "u", "text", commands="scrontab", metavar="NAME", help="the crontab of this user, for operators and root"),
    Option("verbose", "v", "level", commands="scrontab", harmless="a crontab that is taken has nothing to tell", help="say more"),
    Option("version", "V", commands="scrontab", help="show the version"),
)
