"""`slurm.api.ssh`: the ssh backend under the published SDK's name. Apart from the others because it needs asyncssh."""

from __future__ import annotations

from typing import Any

from slurm.sdk.backends.backend import DEFAULT_BASE, SSH_ALIASES, SSH_REFUSED
from slurm.sdk.backends.ssh import SshBackend
from slurm.sdk.errors import InvalidOption

__all__ = ["SSHCommandBackend"]


class SSHCommandBackend(SshBackend):
    """Any Slurm behind a login node, with the published SDK's arguments."""

    def __init__(self, hostname: str, *, job_base_dir: str | None = None, **keywords: Any) -> None:
        refused = sorted(word for word in SSH_REFUSED & keywords.keys() if keywords[word] and word != "gss_deleg_creds")
        if refused:
            raise InvalidOption(f"{', '.join(refused)} is not supported by slurm-py: say such things in ~/.ssh/config")
        super().__init__(hostname, **{SSH_ALIASES.get(word, word): value for word, value in keywords.items() if word not in SSH_REFUSED})
        self.base_dir = job_base_dir or DEFAULT_BASE

    def get_remote_upload_base_path(self) -> str:
        """Below which folders of jobs are made, as the other side sees it."""
        return self.job_base_dir
