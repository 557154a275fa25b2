"""Folders for servers to live in."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.memory import memory


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path; pytest's own lie below one that it closes to other users."""
    path = Path(tempfile.mkdtemp(prefix="ctrip-test-", dir=memory())).resolve()
    yield path
    shutil.rmtree(path)
