"""Files that hold secrets: read only if nobody else can, written so that nobody else ever could.

What is looked at is the file that was opened, not its name, which may lead elsewhere a moment
later. A link is refused for the same reason. What was read is a bytearray, for whoever asked to
wipe.
"""

import os
import stat
from pathlib import Path
from typing import Final

from ctrip.wallet.words import Fault

SIZE_MAX: Final = 16_384  # bytes; a keystore has 500, and a device given by mistake has no end
OTHERS: Final = 0o077  # permission bits of group and others
OURS: Final = 0o600
MENDED_BY: Final = "chmod 600"


def read_private(file: Path) -> bytearray | Fault:
    """Return what a file holds, or say why it must not be used."""
    try:
        opened = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return Fault(f"{file}: {unopened(file, error)}")
    try:
        return content_of(opened, file)
    except OSError as error:
        return Fault(f"{file}: cannot be read ({error.strerror})")
    finally:
        os.close(opened)


def content_of(opened: int, file: Path) -> bytearray | Fault:
    """Look at a file that was opened, and read it."""
    found = os.fstat(opened)
    if fault := fault_of(found):
        return Fault(f"{file}: {fault}" + (f" {file}" if fault.endswith(MENDED_BY) else ""))
    content = bytearray(found.st_size)
    if os.readv(opened, [content]) != found.st_size:
        return Fault(f"{file}: changed while it was read; try again")
    return content


def unopened(file: Path, error: OSError) -> str:
    """Say why a file could not be opened."""
    if file.is_symlink():
        return "is a link; give the path of the file itself"
    return f"cannot be opened ({error.strerror}); correct the path, or the owner of the file"


def fault_of(found: os.stat_result) -> str:
    """Say why an open file must not be used; "" if it may."""
    if stat.S_ISDIR(found.st_mode):
        return "is a folder; give the path of the file in it"
    if not stat.S_ISREG(found.st_mode):
        return "is no regular file"
    if found.st_mode & OTHERS:
        return f"may be read by others than its owner; run: {MENDED_BY}"
    if found.st_uid not in {os.geteuid(), 0}:
        return "belongs to somebody else; it must be owned by whoever runs ctrip"
    if found.st_size == 0:
        return "is empty"
    if found.st_size > SIZE_MAX:
        return "is too large to be a key; correct the path"
    return ""


def write_private(file: Path, content: bytes | bytearray) -> Fault | None:
    """Make a file that its owner alone can read, all of it or none; never overwrite one."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        opened = os.open(file, flags, OURS)
    except FileExistsError:
        return Fault(f"{file}: is there already, and may be the only copy; choose another name")
    except OSError as error:
        return Fault(f"{file}: cannot be made ({error.strerror}); correct the path")
    try:
        if os.write(opened, content) == len(content):
            os.fsync(opened)
            return None
        reason = "the disk is full"
    except OSError as error:
        reason = str(error.strerror)
    finally:
        os.close(opened)
    file.unlink()
    return Fault(f"{file}: cannot be written ({reason})")
