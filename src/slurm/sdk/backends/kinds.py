"""Which kinds of backends there are, and by what words of Cluster each is described."""

from __future__ import annotations

import os
from typing import Any

from slurm.sdk.errors import BackendError, InvalidOption

BACKENDS = ("local", "commands", "subprocess", "inline", "ssh")
SSH_WORDS = frozenset((
    "hostname", "username", "password", "key_filename", "passphrase", "port", "known_hosts", "host_key_policy", "timeout",
    "connection_attempts",
    "retry_delay", "allow_agent", "look_for_keys", "auth_timeout", "remote_workdir", "env"))
SSH_ALIASES = {"ssh_key_path": "key_filename", "banner_timeout": "auth_timeout"}
"""Words of the published SDK → ours."""
SSH_REFUSED = frozenset(("gss_auth", "gss_kex", "gss_deleg_creds", "gss_host", "disabled_algorithms"))
"""Words of the published SDK that mean nothing to asyncssh."""


def base_of(backend: Any) -> Any:
    """Where a backend that a program brings has the folders of jobs made; None where it does not say."""
    theirs = getattr(backend, "theirs", backend)
    found = getattr(theirs, "__dict__", {}).get("job_base_dir") or getattr(theirs, "base_dir", None)
    return found if isinstance(found, str | os.PathLike) else None


def login_of(backend_type: str, keywords: dict[str, Any]) -> dict[str, Any]:
    """Take from the keywords those that are about ssh; ValueError or InvalidOption when they do not go with the backend."""
    if backend_type == "rest":
        raise BackendError('backend_type="rest" is not supported by slurm-py yet: it needs slurmrestd. Use "ssh", or "commands" on a '
                           'login node; '
                           "Cluster.from_backend takes a backend of your own")
    if backend_type not in BACKENDS:
        raise ValueError(f"Invalid backend_type: {backend_type}. Must be one of: {', '.join(BACKENDS)}")
    words = (SSH_WORDS | SSH_ALIASES.keys()) & keywords.keys()
    if backend_type == "ssh":
        if refused := SSH_REFUSED & keywords.keys():
            raise InvalidOption(f"Cluster: {', '.join(sorted(refused))} is not supported by slurm-py: say such things in ~/.ssh/config")
        taken = {word: keywords.pop(word) for word in words}
        return {SSH_ALIASES.get(word, word): value for word, value in taken.items() if value is not None}
    words -= {"timeout"}
    own = {"env": keywords.pop("env")} if "env" in words and backend_type in ("local", "commands") else {}
    if words := words - own.keys():
        raise InvalidOption(f"Cluster: {', '.join(sorted(words))} only means something with backend_type=\"ssh\"")
    return own
