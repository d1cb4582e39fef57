"""How a task's code and what it needs get to its job: one file a way, all behind `base.PackagingStrategy`.

Which way a task takes: `choice`.
"""
