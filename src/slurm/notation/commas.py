"""Commas: what stands between those that are not inside brackets."""

from __future__ import annotations


def pieces(text: str, brackets: str = "[]") -> list[tuple[int, str]]:
    """Each piece with its place in the text. What is open to the end ends there."""
    found: list[tuple[int, str]] = []
    start = depth = 0
    for index, char in enumerate(text + ","):
        depth += (char == brackets[0]) - (char == brackets[1])
        if char == "," and (depth == 0 or index == len(text)):
            found.append((start, text[start:index]))
            start = index + 1
    return found
