"""The table in complaints.py: it is whole, and no test in it is missing."""

from typing import Final

import pytest

from tests.support.tables import exists, named, table
from tests.webhooks import complaints

COUNT: Final = 15


def test_every_complaint_has_a_test() -> None:
    assert list(table(complaints)) == list(range(1, COUNT + 1))
    assert all(table(complaints).values())


@pytest.mark.parametrize("name", named(complaints))
def test_a_test_of_the_table_exists(name: str) -> None:
    assert exists(name)
