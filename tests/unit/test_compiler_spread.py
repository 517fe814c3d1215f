"""Which tiles a product that needs fewer than there are is given to."""

import numpy as np
import pytest
from weft import Device
from weft.compiler.grid import spread
from weft.kernels.matmul import plan_matmul

#: 2 columns of 3 rows, row by row.
TILES = ((0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2))


@pytest.mark.parametrize(
    ("tiles", "count", "chosen"),
    [
        (TILES, 1, ((0, 0),)),
        (TILES, 3, ((0, 0), (0, 1), (0, 2))),  # a tile of each row
        (TILES, 4, ((0, 0), (1, 0), (0, 1), (1, 1))),  # two of each row, so far as needed
        (TILES, 6, TILES),
        (TILES[:3], 2, ((0, 0), (0, 1))),  # one row has one tile only
        (TILES[:3], 3, TILES[:3]),
    ],
)
def test_tiles_of_other_rows_come_first(tiles, count, chosen):
    assert spread(tiles, count) == chosen


def test_a_product_of_few_parts_uses_every_memory_endpoint():
    """32 columns of results are four parts on mesh16, whose rows each have an endpoint."""
    with Device("model", "mesh16") as device:
        a, b = np.ones((1, 64), np.int8), np.ones((64, 32), np.int8)
        commands = plan_matmul(device, a, b, tiles=16).plan.commands
    from weft.commands import unpack
    from weft_hw.isa import Opcode

    loads = [c for c in map(unpack, commands) if c.opcode is Opcode.LOAD]
    assert {c.fields["endpoint"] for c in loads} == {0, 1, 2, 3}
