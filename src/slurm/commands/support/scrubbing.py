"""Taking secrets out of texts: values of keys that name one, what looks like a key, token or password, and this machine's secrets wherever
they stand.

Rather too much than too little: who reads a bundle misses a value less than a site its password.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Mapping

MASK = "[secret]"
SHORTEST = 6
"""A value of so few characters is replaced only where its key says that it is one: elsewhere it would tear up words."""
_NAMES = r"[\w.-]*(?:pass(?:word|wd|phrase)?|secret|token|api_?key|private_?key|credentials?|auth_?key|jwt(?!_key)|cookie|bearer)[\w.-]*"
_RULES = (
    re.compile(r"-----BEGIN [^-]*PRIVATE KEY-----.*?(?:-----END [^-]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?"),  # JSON web tokens
    re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"),  # user:password@ of a URL
    re.compile(r"(?<![\w/.-])(?:AKIA|ghp_|gho_|glpat-|xox[abp]-|sk-)[\w-]{10,}"),
    re.compile(r"(?i)(?<=authorization: )[^\r\n]+"),
    re.compile(r"(?<![\w/+.-])(?=[\w/+]*\d)(?=[\w/+]*[A-Za-z])[A-Za-z0-9+/]{40,}={0,2}(?![\w/+])"),  # long random text
)
_KEYED = re.compile(rf"(?i)(?P<key>(?<![\w/]){_NAMES})(?P<between>\"?\s*[=:]\s*\"?)(?P<value>[^\s,;\"']+)")
_PATHS = re.compile(r"(?i)^(/|%|no$|yes$|true$|false$|none$|\d{1,3}$|auth/|\[secret\])")
"""What stands behind such a key and is no secret: where it lies, whether there is one."""
_SECRET_NAMES = re.compile(rf"(?i)^{_NAMES}$|KEY$")
_ALWAYS = re.compile(r"(?im)^(?P<key>\s*(?:StoragePass|AccountingStoragePass|JobCompPass|StoragePassScript|StorageParameters|AccountingStorageExternalHost|"
                     r"X11Parameters)\s*=\s*)(?P<value>.+)$")


class Scrubber:
    """Scrubs texts of the secrets that are known and of those that look like one."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = sorted({one for one in known if len(one) >= SHORTEST}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._known:
            text = text.replace(secret, MASK)
        text = _ALWAYS.sub(lambda found: f"{found['key']}{MASK}", text)
        for rule in _RULES:
            text = rule.sub(MASK, text)
        return _KEYED.sub(_masked, text)


def _masked(found: re.Match[str]) -> str:
    return found[0] if _PATHS.match(found["value"]) else f"{found['key']}{found['between']}{MASK}"


def known(files: Iterable[str], environ: Mapping[str, str]) -> set[str]:
    """Secrets of this machine, in the forms in which they may stand in a text: those in key files, and values of variables that name
    one."""
    found = {value for name, value in environ.items() if _SECRET_NAMES.search(name) and not value.startswith("/")}
    for path in files:
        try:
            with open(path, "rb") as file:
                content = file.read(64 * 1024)
        except OSError:  # who may not read it cannot put it into the bundle
            continue
        found |= {content.hex(), base64.b64encode(content).decode(), content.decode("utf-8", "replace").strip()}
    return {one for one in found if one and not os.path.exists(one)}
