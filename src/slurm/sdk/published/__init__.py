"""What the published SDK calls things: its names, forms and files, each told in terms of ours.

Nothing here is needed by code that does not use them.
"""
