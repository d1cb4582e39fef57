"""A JSON document sent to a URL by HTTP, with the standard library: for plug-ins that speak to services of the site."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Mapping
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

_SHOWN = 300


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *arguments: object) -> None:
        """A service that has moved is configured anew: what is sent stays with whom the site named."""


_open = build_opener(_NoRedirects).open


TIMESTAMP, SIGNATURE = "X-Slurm-Timestamp", "X-Slurm-Signature"


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """What SIGNATURE holds: HMAC-SHA256 of the moment in TIMESTAMP, a dot and the body, in hexadecimal digits."""
    return "sha256=" + hmac.new(secret, timestamp.encode() + b"." + body, "sha256").hexdigest()


def post(url: str, content: Mapping[str, object], seconds: float, user: str = "", password: str = "", secret: bytes = b"",
        more: Mapping[str, str] | None = None) -> None:
    """Send it, signed with `secret`; OSError says what the service answered, anything but 2xx being no."""
    headers = {"Content-Type": "application/json", "User-Agent": "slurm-py", **(more or {})}
    body = json.dumps(content).encode()
    if secret:
        now = str(int(time.time()))
        headers |= {TIMESTAMP: now, SIGNATURE: signature(secret, now, body)}
    if user and password:
        headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    request = Request(url, body, headers, method="POST")  # noqa: S310
    try:
        with _open(request, timeout=seconds):
            return
    except HTTPError as error:
        said = error.read(_SHOWN).decode(errors="replace").strip()
        raise OSError(f"{_shown(url)} answered {error.code} {error.reason}: {said}") from None
    except (URLError, HTTPException, OSError, ValueError) as error:
        raise OSError(f"{_shown(url)} cannot be reached: {getattr(error, 'reason', error)}") from None


def _shown(url: str) -> str:
    """Without what may be a secret: a user, a query, the path of a webhook."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}"
