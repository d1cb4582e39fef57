"""Taking secrets out of texts: values of keys that name one, what looks like a key, token or password, and this machine's secrets wherever
they stand.

Rather too much than too little: who reads a bundle misses a value less than a site its password.
"""

from __future__ import annotations

import base64
import os
import re
import string
from collections.abc import Iterable, Mapping

MASK = "[secret]"
SHORTEST = 6
"""A value of so few characters is replaced only where its key says that it is one: elsewhere it would tear up words."""
_WORDS = r"(?:pass(?:word|wd|phrase)?|secret|token|api_?key|private_?key|credentials?|auth_?key|jwt(?!_key)|cookie|bearer)"
# Whatever stands in a log may have been written to make this slow: what repeats has a bound, and begins where the one before ends.
_RULES = (
    re.compile(r"-----BEGIN [^-]{0,64}PRIVATE KEY-----.*?(?:-----END [^-]{0,64}PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"\beyJ[\w-]{8,512}\.[\w-]{1,8192}(?:\.[\w-]{0,8192})?"),  # JSON web tokens
    re.compile(r"(?<![\w/.-])(?:AKIA|ghp_|gho_|glpat-|xox[abp]-|sk-)[\w-]{10,}"),
    re.compile(r"(?i)(?<=authorization: )[^\r\n]+"),
    re.compile(r"(?<![\w/+.-])(?=[\w/+]*\d)(?=[\w/+]*[A-Za-z])[A-Za-z0-9+/]{40,}={0,2}(?![\w/+])"),  # long random text
)
_URL = re.compile(r"(?<=://)[^\s\"]+")
_KEYED = re.compile(rf"(?i)(?P<key>{_WORDS}[\w.-]{{0,64}})(?P<between>\\?[\"']?[ \t]{{0,64}}[=:][ \t]{{0,64}})"
                    r"(?P<value>\\*\"[^\"\n]*\"?|'[^'\n]*'?|[^\s\"'][^\s\"]*)")
_LONGEST_NAME = 64
_NAME_LETTERS = string.ascii_letters + string.digits + "_.-"
_PATHS = re.compile(r"(?i)^(/|%|no$|yes$|true$|false$|none$|\d{1,3}$|auth/|\[secret\])")
"""What stands behind such a key and is no secret: where it lies, whether there is one."""
_NUMBER = re.compile(r"\d+(,$|$)")
_SECRET_NAMES = re.compile(rf"(?i){_WORDS}|KEY$")
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
        text = _URL.sub(_without_password, text)
        return _KEYED.sub(_masked, text)


def _without_password(found: re.Match[str]) -> str:
    """A URL's rest without user:password@, whatever letters are in the password."""
    before, at, behind = found[0].rpartition("@")
    return f"{MASK}@{behind}" if at and ":" in before else found[0]


def _masked(found: re.Match[str]) -> str:
    if found["between"].startswith('"') and _NUMBER.match(found["value"]):
        return found[0]  # of a JSON object: how large a file of keys is
    value, quote = found["value"], found["value"][0] if found["value"][0] in "\"'" else ""
    if _PATHS.match(value.strip("\"'")) or value.strip("\"'") == "" or _in_path(found):
        return found[0]
    return f"{found['key']}{found['between']}{quote}{MASK}{quote if value.endswith(quote) and len(value) > 1 else ''}"


def _in_path(found: re.Match[str]) -> bool:
    """Whether the key is the end of a path."""
    before = found.string[max(0, found.start() - _LONGEST_NAME):found.start()]
    return before.rstrip(_NAME_LETTERS)[-1:] == "/"


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
