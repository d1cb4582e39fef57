"""MailProg: a mail is handed to a program as `PROGRAM -s SUBJECT RECEIVER`, its text on standard input, as mail(1) takes it."""

from __future__ import annotations

from types import SimpleNamespace

from slurm.plugins import programs
from slurm.plugins.records import Mail

SECONDS = 25.0


def send_mail(mail: Mail, settings: SimpleNamespace) -> None:
    """Run the program; RuntimeError when it fails."""
    if mail.to.startswith("-"):
        raise RuntimeError(f"{mail.to!r} would be an option of {settings.MailProg}, not a receiver")
    programs.run([settings.MailProg, "-s", mail.subject, mail.to], {"PATH": programs.PATH, **mail.environment}, mail.body, SECONDS)
