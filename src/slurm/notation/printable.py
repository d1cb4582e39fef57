"""Printable: text that somebody chose, for terminals, tables and logs. Files and JSON keep it as it is.

A control character moves cursors, ends lines, recolours or retitles terminals; a mark of direction turns a line around. Each becomes the
escape by which Python and C write it: a line break \\n, ESC \\x1b.
"""


def printable(text: str) -> str:
    """The text on one line that cannot move the cursor, whoever wrote it."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def printable_lines(text: str) -> str:
    """The same for text of several lines: line breaks and tabs stay."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode() for char in text)
