"""Everything that is in the memory of a process of ours, as a core dump would have it (Linux)."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

CHUNK_BYTES: Final = 1 << 24
OVERLAP_BYTES: Final = 1 << 10  # what lies across two chunks is in the second
MAPPING: Final = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r")


def chunks(pid: int) -> Iterator[bytes]:
    """Yield all memory that may be read, piece by piece."""
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            if not (mapped := MAPPING.match(line)) or "[v" in line:  # not the kernel's own pages
                continue
            start, end = (int(edge, 16) for edge in mapped.groups())
            for at in range(start, end, CHUNK_BYTES - OVERLAP_BYTES):
                memory.seek(at)
                try:
                    yield memory.read(min(CHUNK_BYTES, end - at))
                except OSError:  # a page of a file that is shorter than its mapping
                    continue


def found_in(pid: int, wanted: Collection[bytes]) -> set[bytes]:
    """Return which of these stand anywhere in a process's memory."""
    return {one for chunk in chunks(pid) for one in wanted if one in chunk}
