"""Who is logged in: sessions behind cookies, and links that log in once. Kept in memory only: whoever starts slurmrestd anew logs in anew.

A session holds what its requests claim (a token, or that the kernel vouched for slurmrestd's own user); slurmctld verifies that each time.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from slurm.slurmrestd.authentication import Claim

IDLE_SECONDS = 8 * 3600.0
LONGEST_SECONDS = 7 * 86_400.0
LINK_SECONDS = 600.0
MOST_SESSIONS, MOST_LINKS = 2_000, 200
MOST_OF_A_USER = 50
"""Log-ins of one user, and links: with more his own oldest ones go, nobody else's."""
MOST_NEWS = 20
_BYTES = 32


@dataclass
class Session:
    """One log-in. `csrf` stands in every form of it, `news` are (kind, sentence) that the next page shows, `partitions`
    when their names were asked for, and these; times in seconds since the epoch."""

    claim: Claim
    user: str
    csrf: str
    began: float
    seen: float
    news: list[tuple[str, str]] = field(default_factory=list)
    partitions: tuple[float, list[str]] = (0.0, [])

    def tell(self, kind: str, sentence: str) -> None:
        """Have the next page say something; `kind` is done or failed."""
        if len(self.news) < MOST_NEWS:
            self.news.append((kind, sentence))

    def heard(self) -> list[tuple[str, str]]:
        """What there is to say, once."""
        news, self.news = self.news, []
        return news

    def vouches(self, token: str) -> bool:
        """Whether a form is one of this session's."""
        return hmac.compare_digest(self.csrf.encode(), token.encode())


class Sessions:
    """All log-ins of this process. Names of sessions and links are told once, and only their digests kept."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._sessions: dict[str, Session] = {}
        self._links: dict[str, tuple[float, Claim, str]] = {}

    def begin(self, claim: Claim, user: str) -> str:
        """A new session; its cookie's value."""
        name, now = secrets.token_urlsafe(_BYTES), self._now()
        self._drop_old(now, user)
        self._sessions[_digest(name)] = Session(claim, user, secrets.token_urlsafe(_BYTES), now, now)
        return name

    def find(self, name: str) -> Session | None:
        """The session of a cookie, None when there is none (any more)."""
        session = self._sessions.get(_digest(name)) if name else None
        now = self._now()
        if session is None or _is_old(session, now):
            return None
        session.seen = now
        return session

    def end(self, name: str) -> None:
        """Log out."""
        self._sessions.pop(_digest(name), None)

    def link(self, claim: Claim, user: str) -> str:
        """A word that logs in once, within some minutes."""
        now = self._now()
        self._links = {word: kept for word, kept in self._links.items() if kept[0] > now}
        mine = [word for word, kept in self._links.items() if kept[2] == user]
        for word in mine[:max(0, len(mine) - MOST_OF_A_USER + 1)]:
            del self._links[word]
        while len(self._links) >= MOST_LINKS:
            del self._links[next(iter(self._links))]
        word = secrets.token_urlsafe(_BYTES)
        self._links[_digest(word)] = (now + LINK_SECONDS, claim, user)
        return word

    def redeem(self, word: str) -> str | None:
        """A session for a link that nobody has used yet: its cookie's value."""
        until, claim, user = self._links.pop(_digest(word), (0.0, Claim(), ""))
        return self.begin(claim, user) if until > self._now() else None

    def _drop_old(self, now: float, user: str) -> None:
        self._sessions = {name: session for name, session in self._sessions.items() if not _is_old(session, now)}
        mine = sorted((session.seen, name) for name, session in self._sessions.items() if session.user == user)
        for _, name in mine[:max(0, len(mine) - MOST_OF_A_USER + 1)]:
            del self._sessions[name]
        while len(self._sessions) >= MOST_SESSIONS:
            del self._sessions[min(self._sessions, key=lambda name: self._sessions[name].seen)]


def _is_old(session: Session, now: float) -> bool:
    return now - session.seen > IDLE_SECONDS or now - session.began > LONGEST_SECONDS


def _digest(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()
