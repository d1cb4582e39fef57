"""The keywords of @task.

Their types stand in keywords.pyi, for editors and type checkers: to make them at run time would cost every job 2 ms.
"""

from __future__ import annotations

SbatchKeywords = dict[str, object]
