"""Callbacks: code of the user's that is told what becomes of his jobs, on the client and inside them.

One file a callback; `base` has the interface.
"""
