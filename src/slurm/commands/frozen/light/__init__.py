"""What the frozen commands get for modules of the standard library that take long to load: the few names they use, and the real module for
all others.

Names with two underscores are asked for by the import system of each module; they lead to none.
"""
