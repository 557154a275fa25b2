"""The table in dangers.py: it is whole, and no test in it is missing."""

from typing import Final

import pytest

from tests.support.tables import exists, named, table
from tests.web import dangers

COUNT: Final = 29


def test_every_danger_has_a_test() -> None:
    assert list(table(dangers)) == list(range(1, COUNT + 1))
    assert all(table(dangers).values())


@pytest.mark.parametrize("name", named(dangers))
def test_a_test_of_the_table_exists(name: str) -> None:
    assert exists(name)
