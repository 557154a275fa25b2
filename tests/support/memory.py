"""Where databases live that are thrown away: in memory, if there is enough of it.

A migrated database is 8 MB in 300 files, and every test has its own. Some disks take 0.14 s
of a core to copy them, and memory 0.01.
"""

import os
import shutil
from pathlib import Path
from typing import Final

MEMORY: Final = Path("/dev/shm")  # noqa: S108  those who make folders in it name them at random
FREE_BYTES_MIN: Final = 4 * 2**30  # for the clusters of all workers; a container may have 64 MB


def memory() -> Path | None:
    """Return a folder in memory, or None for where temporary files are otherwise."""
    usable = MEMORY.is_dir() and os.access(MEMORY, os.W_OK)
    return MEMORY if usable and shutil.disk_usage(MEMORY).free >= FREE_BYTES_MIN else None
