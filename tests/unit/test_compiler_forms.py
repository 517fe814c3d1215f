"""Closed forms that plans are made of: pieces of a length, cycles of the array."""

from weft.compiler.cost import array_cycles, shape_ceiling, window_cycles
from weft.compiler.task import split
from weft.compiler.walk import chunks
from weft_hw.presets import preset


def test_split_is_even_and_whole():
    """A remainder is lost, or becomes a sliver that wastes the array."""
    assert split(130, 128) == [(0, 65), (65, 65)]
    assert split(100, 48, 16) == [(0, 48), (48, 32), (80, 20)]
    assert split(5, 100, 16) == [(0, 5)]
    assert chunks(512, 256, 32, 16, 4) == [(0, 32), (32, 64), (96, 128), (224, 144), (368, 144)]
    assert chunks(256, 256, 32, 16, 3) == [(0, 32), (32, 48), (80, 80), (160, 96)]
    for length in range(1, 200):
        pieces = chunks(length, 64, 16, 16, 3)
        assert [start for start, _ in pieces] == [
            sum(n for _, n in pieces[:i]) for i in range(len(pieces))
        ]
        assert sum(size for _, size in pieces) == length
        assert max(size for _, size in pieces) <= 64
        for largest in (16, 48, 64):
            pieces = split(length, largest, 16)
            assert sum(size for _, size in pieces) == length
            assert max(size for _, size in pieces) <= largest


def test_closed_forms():
    """The stated ceilings differ from what they are said to be."""
    assert array_cycles(512, 512, 512, 16, 16) == 524_288
    assert array_cycles(3, 17, 17, 16, 16) == 4 * 16
    assert window_cycles(1, 1, 1, 16, 16) == 49
    assert window_cycles(20, 16, 32, 16, 16) == 16 + 20 + 20 + 32
    base, quad = preset("base"), preset("quad")
    assert shape_ceiling(base, 512, 512, 512) == 512**3 / 256 / (524_288 + 48)
    assert shape_ceiling(quad, 512, 512, 512) == 512**3 / 256 / (524_288 + 24)
    assert shape_ceiling(quad, 512, 512, 512, tiles=1) == 512**3 / 64 / (2_097_152 + 24)
