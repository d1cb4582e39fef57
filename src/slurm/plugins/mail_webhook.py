"""MailProg=https://…: a mail as a JSON document for a URL. "text" is there for chat services that show that and ignore the rest."""

from __future__ import annotations

from types import SimpleNamespace

import msgspec

from slurm.plugins import posting
from slurm.plugins.records import Mail

SECONDS = 10.0


def send_mail(mail: Mail, settings: SimpleNamespace) -> None:
    """Send it; OSError when the service does not take it."""
    posting.post(settings.MailProg, {
        "text": f"{mail.subject}\n{mail.body}", "subject": mail.subject, "body": mail.body, "to": mail.to, "event": mail.event,
        "job": msgspec.to_builtins(mail.job)}, SECONDS)
