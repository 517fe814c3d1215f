"""Operands that tiles load for each other: which ones, and that each is loaded once."""

from dataclasses import replace

import pytest
from weft.commands import unpack
from weft.compiler.check import check_program
from weft.compiler.grid import Grid, parts_of
from weft.compiler.plan import GemmPlan, plan_gemm
from weft.compiler.program import SEMAPHORE_OF
from weft.compiler.share import ALONE, Axis, Sharing, sharings
from weft.compiler.task import GemmTask
from weft_hw.formats.table import Format
from weft_hw.isa import Engine, Opcode
from weft_hw.presets import preset
from weft_sim.dram import Dram

_A, _B, _OUT = 1 << 30, 2 << 30, 3 << 30
_ROW, _COLUMN = Axis.ROW, Axis.COLUMN


def _task(m: int, k: int, n: int) -> GemmTask:
    return GemmTask(
        m=m, k=k, n=n, a_address=_A, b_address=_B, out_address=_OUT, out_format=Format.INT32
    )


def _sharings(m: int, n: int, grid: Grid) -> set[tuple[object, object]]:
    config = preset("mesh16")
    tiles = tuple((x, y) for y in range(4) for x in range(4))
    found = sharings(parts_of(config, _task(m, 64, n), tiles, grid))
    return {(one.a, one.b) for one in found}


def test_lines_are_tiles_that_need_the_same():
    """Tiles are sent operands of others, or load what a neighbour loads though they need not."""
    across, down = (_ROW, 4), (_COLUMN, 4)
    assert _sharings(64, 64, Grid(4, 4)) == {(across, None), (None, down), (across, down)}
    turned = Grid(4, 4, by_columns=True)
    assert _sharings(64, 64, turned) == {(down, None), (None, across), (down, across)}
    assert _sharings(64, 128, Grid(1, 16)) == {(across, None), (down, None)}
    assert _sharings(64, 64, Grid(16, 1)) == {(None, across), (None, down)}
    # two mesh rows to a row of parts
    assert _sharings(64, 128, Grid(2, 8)) == {(across, None), ((_COLUMN, 2), None)}


def test_parts_that_share_are_alike():
    """Tiles of a line take different steps, or there is none at some place of the line."""
    assert _sharings(66, 64, Grid(4, 4)) == set()
    assert _sharings(64, 56, Grid(4, 4)) == set()
    assert _sharings(64, 64, Grid(2, 2, 4)) == set()
    assert _sharings(64, 24, Grid(3, 3)) == set()


def test_semaphores_are_apart():
    """Arrivals and credits of two operands, or joins of engines, are counted together."""
    needed = {1 << number for number in SEMAPHORE_OF.values()}
    for pair in (
        (Engine.LOAD, Engine.MATMUL), (Engine.MATMUL, Engine.LOAD), (Engine.STORE, Engine.MATMUL),
    ):  # fmt: skip
        needed.remove(1 << SEMAPHORE_OF[pair])
    for often in "ab":
        lines = Sharing((_ROW, 4), (_COLUMN, 4)).lines((2, 1), often)
        masks = [mask for line in lines.values() for mask in (*line.arrivals, line.credit)]
        assert len(set(masks)) == len(masks) == 7
        assert not needed & set(masks)
        assert lines[often].apart == 3
    for side in "ab":
        line = replace(ALONE, **{side: (_ROW, 4)}).lines((0, 0), "a")[side]
        assert len({*line.arrivals, line.credit}) == 4
        assert not {1 << n for n in SEMAPHORE_OF.values()} & {*line.arrivals, line.credit}


def test_leaders_take_turns():
    """One tile loads all pieces, or credit for a leader's second piece counts for its first."""
    row = Sharing(a=(_ROW, 2)).lines((3, 1), "a")["a"]
    assert row.tiles == ((2, 1), (3, 1))
    assert [row.leader(piece) for piece in range(3)] == [(2, 1), (3, 1), (2, 1)]
    assert row.apart == 2
    column = Sharing(b=(_COLUMN, 4)).lines((3, 1), "a")["b"]
    assert [column.leader(piece)[1] for piece in range(5)] == [0, 1, 2, 3, 0]
    assert len({column.arrived(piece) for piece in range(column.apart)}) == column.apart == 3


def _shared(name: str) -> GemmPlan:
    """A product whose tiles share both operands: memory is slow."""
    mesh = preset(name).mesh
    task = _task(32 * mesh.rows, 256, 32 * mesh.cols)
    return plan_gemm(preset(name), task, Dram(bytes_per_cycle=2))


@pytest.mark.parametrize("name", ["quad", "mesh16"])
def test_each_operand_is_loaded_once(name):
    """A tile loads what another sends it, or sends it to others than those of its line."""
    config, plan = preset(name), _shared(name)
    assert plan.sharing.sides == 2
    assert "a is shared by" in plan.explain()
    assert "b is shared by" in plan.explain()
    assert check_program(plan.commands, balanced=True).largest_count < 64
    loaded, leaders, rectangles = {"a": 0, "b": 0}, {"a": set(), "b": set()}, set()
    for command in map(unpack, plan.commands):
        fields = command.fields
        if command.opcode is Opcode.LOAD:
            side = "a" if fields["memory_address"] < _B else "b"
            loaded[side] += fields["rows"] * fields["row_bytes"]
            leaders[side].add(command.tile)
        if command.opcode is Opcode.STORE and fields["to_tiles"] and fields["rows"]:
            rectangles.add(
                tuple(fields[name] for name in ("x_first", "y_first", "x_last", "y_last"))
            )
    assert loaded == {"a": plan.task.m * plan.task.k, "b": plan.task.k * plan.task.n}
    # every tile is a leader of both
    assert {len(tiles) for tiles in leaders.values()} == {config.mesh.tiles}
    lines = [
        line.tiles for part in plan.parts for line in plan.sharing.lines(part.tile, "a").values()
    ]
    assert rectangles == {(*tiles[0], *tiles[-1]) for tiles in lines}


def test_one_tile_shares_with_nobody():
    """A tile waits for pieces that nobody sends."""
    plan = plan_gemm(preset("quad"), _task(64, 256, 64), Dram(bytes_per_cycle=2), tiles=((0, 0),))
    assert plan.sharing == ALONE


def test_not_where_it_gains_nothing():
    """Pieces are sent about though the array is busy anyway."""
    assert plan_gemm(preset("quad"), _task(256, 256, 256), Dram()).sharing == ALONE
