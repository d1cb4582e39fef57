"""sshare's answer as a table, for programs, as JSON or YAML."""

from __future__ import annotations

from typing import cast

import msgspec

from slurm.commands import caller, wanted_style
from slurm.commands.shell import Message, Shell
from slurm.model.errors import ProtocolError
from slurm.options.resolve import Resolved
from slurm.render import accounting_table, share_columns
from slurm.wire.messages import SharesListed


def report(shell: Shell, resolved: Resolved, reply: Message) -> int:
    """Lays the shares out, or with --helpformat the names of the columns; the exit status."""
    if resolved.flag("helpformat"):
        shell.stdout.write("".join(f"{line}\n" for line in accounting_table.names_in_columns(share_columns.SHARE.names())))
        return 0
    columns = accounting_table.parse(_format(resolved), share_columns.SHARE)
    try:
        found = msgspec.convert(reply, SharesListed)
    except msgspec.ValidationError as error:
        raise ProtocolError(hints=[f"the reply is none of ours: {error}"]) from error
    style = wanted_style.structure(resolved)
    if style:
        from slurm.render import json_text

        end = json_text.closing(found.cluster, *caller.names(), ["sshare", *shell.argv])
        record = cast("json_text.Value", msgspec.to_builtins(found.shares))
        shell.stdout.write(json_text.encode({"shares": {"shares": record}, **end}, style))
        return 0
    fields = [column.field for column in columns]
    shares = [one for one in found.shares if one.user] if resolved.flag("Users") else found.shares
    rows = [share_columns.cells(fields, one) for one in share_columns.shown(shares, found.cluster, found.tres)]
    header = not resolved.flag("noheader")
    if resolved.flag("parsable") or resolved.flag("parsable2"):
        lines = accounting_table.parsable(columns, rows, header=header, ending=not resolved.flag("parsable2"))
    else:
        lines = accounting_table.lines(columns, rows, header=header)
    shell.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _format(resolved: Resolved) -> str:
    if resolved.settings.get("format") is not None:
        return resolved.text("format")
    text = share_columns.LONG if resolved.flag("long") else share_columns.DEFAULT
    return text.replace("user,", "user,partition,") if resolved.flag("partition") else text
