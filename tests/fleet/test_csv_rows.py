"""CSV files as dataclasses: what is wrong in one is said with its line."""

import math
from dataclasses import dataclass

import pytest
from weft.fleet.csv_rows import read_rows
from weft.fleet.errors import FleetError


@dataclass(frozen=True)
class Item:
    name: str
    price: float


def test_columns_become_fields():
    rows = read_rows(Item, 'name,price\n"a, b",2.5\nc,\n', "x.csv")
    assert rows[0] == Item("a, b", 2.5)
    assert rows[1].name == "c"
    assert math.isnan(rows[1].price)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,cost\na,1\n", "x.csv:1: columns must be name, price, not name, cost"),
        ("", "x.csv:1: columns must be name, price, not "),
        ("name,price\na,1\nb,dear\n", "x.csv:3: price must be a number, not 'dear'"),
    ],
)
def test_mistakes_name_their_line(text, message):
    with pytest.raises(FleetError) as caught:
        read_rows(Item, text, "x.csv")
    assert str(caught.value) == message
