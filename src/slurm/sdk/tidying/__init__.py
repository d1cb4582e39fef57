"""Removing what ended jobs left behind."""
