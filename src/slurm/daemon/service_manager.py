"""What systemd is told of a daemon, as sd_notify(3) has it: that it serves, and that it ends. Nothing where nobody listens."""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping

VARIABLE = "NOTIFY_SOCKET"


class ServiceManager:
    """The socket that the service manager named. The variable is taken out of the environment: programs that a daemon starts are not it."""

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        name = environ.pop(VARIABLE, "")
        self._address = "\0" + name[1:] if name.startswith("@") else name if name.startswith("/") else ""

    def tell(self, *lines: str) -> None:
        """Send assignments such as READY=1. OSError: the socket that was named does not take them."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.sendto("\n".join(lines).encode(), self._address)
