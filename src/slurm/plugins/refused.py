"""Refused: how a plug-in says no. It imports nothing, so that a plug-in pays nothing for it."""


class Refused(Exception):  # noqa: N818  (what a plug-in raises is no failure of its own)
    """Raised by a plug-in: what was asked is not to be. Its text is what the user reads."""
