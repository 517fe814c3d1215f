"""Where blocks of results lie in the accumulator, and what must be drained before they begin."""

from __future__ import annotations

import pytest
from weft.compiler.regions import accumulator_rows_of
from weft.compiler.walk import Block
from weft_hw.presets import preset


def _block(m: int, n: int) -> Block:
    return Block(0, m, 0, n, (0, m), (0, n))


@pytest.mark.parametrize(
    "sizes",
    [
        [(48, 48)] * 3 + [(16, 48), (16, 48), (16, 16), (16, 16), (16, 16)],
        [(32, 256)] * 4 + [(16, 256), (16, 256), (16, 128), (16, 128)],
        [(16, 16)] * 9,
    ],
)
@pytest.mark.parametrize("tail", [-3, 2, 9])
def test_rows_are_drained_before_they_are_used_again(
    sizes: list[tuple[int, int]], tail: int
) -> None:
    config = preset("base")
    blocks = [_block(*size) for size in sizes]
    found = accumulator_rows_of(config, blocks, tail)
    half = config.tile.accumulator_rows // 2
    rows = [range(at, at + b.m * b.n // 16) for (at, _), b in zip(found, blocks, strict=True)]
    drained = -1
    for number, (mine, (_, before)) in enumerate(zip(rows, found, strict=True)):
        assert mine[0] // half == mine[-1] // half == number % 2
        assert before < number
        # the array works in order: what an earlier block waited for is drained, too
        drained = max(drained, before)
        for other in range(number):
            apart = rows[other][-1] < mine[0] or mine[-1] < rows[other][0]
            assert apart or other <= drained


def test_only_last_blocks_begin_beside_one_that_drains() -> None:
    blocks = [_block(16, 48)] * 6
    before = [at for _, at in accumulator_rows_of(preset("base"), blocks, 4)]
    assert before == [-2, -1, 0, 1, -1, -1]
