"""A process that holds keys leaves no copy of its memory behind."""

import subprocess
import sys
from typing import Final

PROGRAM: Final = """
import ctypes, resource
from ctrip.dumps import forbid_dumps
PR_GET_DUMPABLE = 3
def dumpable():
    return ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)
before = dumpable()
forbid_dumps()
print(before, dumpable(), resource.getrlimit(resource.RLIMIT_CORE))
resource.getrusage(resource.RUSAGE_SELF), open("/proc/self/stat").read(), open("/proc/self/maps")
"""


def test_a_process_that_forbids_dumps_writes_no_core_and_is_handed_to_no_program() -> None:
    done = subprocess.run(  # noqa: S603  our own words
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=20
    )
    assert (done.stdout.strip(), done.stderr) == ("1 0 (0, 0)", "")
