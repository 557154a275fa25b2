"""The CPU time that other processes have used (Linux)."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Final

TICKS_SECOND: Final = os.sysconf("SC_CLK_TCK")
PPID, SPENT, OF_CHILDREN = 1, slice(11, 13), slice(13, 15)  # fields behind a process's name


def seconds_of(pid: int) -> float:
    """Return what a process has used."""
    return ticks(fields(pid)[SPENT]) / TICKS_SECOND


def seconds_below(pid: int) -> float:
    """Return what the children of a process have used, also of those that ended."""
    living = sum(ticks(stat[SPENT]) for stat in all_fields() if int(stat[PPID]) == pid)
    return (living + ticks(fields(pid)[OF_CHILDREN])) / TICKS_SECOND


def seconds_here(who: int = resource.RUSAGE_SELF) -> float:
    """Return what this process has used, or with RUSAGE_CHILDREN its children that ended."""
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def ticks(texts: list[str]) -> int:
    """Add up user and system time."""
    return sum(int(text) for text in texts)


def fields(pid: int) -> list[str]:
    """Return what the kernel says of a process."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


def all_fields() -> Iterator[list[str]]:
    """Return what the kernel says of every process."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield fields(int(folder.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
