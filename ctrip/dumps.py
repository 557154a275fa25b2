"""Keeps the memory of a process that holds keys out of files.

A core dump is a copy of the memory, on a disk, often sent to somebody who mends programs. With
RLIMIT_CORE at 0 the kernel writes none; where core_pattern names a program, which that limit does
not always bind, a process that is not dumpable is not handed to it. Such a process cannot be
attached to by others of its user either. Whoever is root reads memory all the same.
"""

import ctypes
import resource
import sys
from typing import Final

from ctrip.core.errors import InvariantError

PR_SET_DUMPABLE: Final = 4  # <sys/prctl.h>


class Dumpable(InvariantError):
    """The kernel would not promise to keep this process's memory to itself."""


def forbid_dumps() -> None:
    """Let nobody but root see this process's memory from outside, from now on.

    A program that is started from here has its own promise to make: exec takes this one back.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        nothing = ctypes.c_ulong(0)
        if ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, nothing, nothing, nothing, nothing):
            raise Dumpable("core dumps could not be forbidden")
