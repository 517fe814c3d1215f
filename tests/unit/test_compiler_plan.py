"""Plans: every program is safe and complete, for many shapes on every configuration."""

from dataclasses import replace

import numpy as np
import pytest
from weft.commands import unpack
from weft.compiler.check import check_program
from weft.compiler.plan import plan_gemm
from weft.compiler.task import GemmTask
from weft_hw.formats.table import Format, units_per_row
from weft_hw.isa import Opcode, VectorOutput
from weft_hw.presets import PRESETS, preset
from weft_sim.dram import Dram

_DRAM = Dram()


def _task(m: int, k: int, n: int, int8: bool = False, full: bool = False) -> GemmTask:
    extras = {"bias_address": 3 << 30, "residual_address": 5 << 30} if full else {}
    if int8:
        extras["scale_address"] = 4 << 30
    elif full:
        del extras["residual_address"]
    return GemmTask(
        m=m, k=k, n=n, a_address=0, b_address=1 << 32, out_address=2 << 32,
        out_format=Format.INT8 if int8 else Format.INT32, **extras,
    )  # fmt: skip


def _sizes(config) -> list[tuple[int, int, int]]:
    r = config.tile.array_rows
    rng = np.random.default_rng(r)
    sizes = [
        (1, 1, 1),
        (r - 1, r, r + 1),
        (3 * r + 5, 5 * r + 3, 7 * r + 1),
        (1, 6 * r, 40 * r + 3),  # one row
        (40 * r + 3, 1, r),  # nothing to reuse
        (r, 300 * r + 1, 2 * r),  # K beyond the scratchpad
    ]
    return sizes + [tuple(int(size) for size in rng.integers(1, 12 * r, 3)) for _ in range(4)]


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize(
    ("int8", "full"), [(False, False), (False, True), (True, False), (True, True)]
)
def test_programs_are_safe_and_complete(name, int8, full):
    """A program waits for what comes later, leaves semaphores set, or computes some block twice or
    never.
    """
    config = preset(name)
    for m, k, n in _sizes(config):
        task = _task(m, k, n, int8, full)
        plan = plan_gemm(config, task, _DRAM)
        assert check_program(plan.commands, balanced=True).largest_count < 200
        commands = [unpack(row) for row in plan.commands]
        macs = sum(
            c.fields["m"] * c.fields["k"] * c.fields["n"]
            for c in commands
            if c.opcode is Opcode.MATMUL
        )
        assert macs == task.macs
        stored = np.zeros(m * n * (1 if int8 else 4), np.uint8)
        for command in commands:
            if command.opcode is Opcode.STORE:
                fields = command.fields
                for row in range(fields["rows"]):
                    start = (
                        fields["memory_address"] - task.out_address + row * fields["memory_stride"]
                    )
                    stored[start : start + fields["row_bytes"]] += 1
        assert (stored == 1).all()
        tiles = {command.tile for command in commands}
        assert len(tiles) == len(plan.parts) <= config.mesh.tiles


def _check_local(config, command) -> None:
    """Everything a command reads or writes lies inside the memories it names."""
    tile, fields = config.tile, command.fields
    rows, lanes, width = tile.scratchpad_rows, tile.array_cols, tile.array_rows
    if command.opcode is Opcode.MATMUL:
        half = tile.accumulator_rows // 2
        groups, depth = -(-fields["n"] // lanes), -(-fields["k"] // width)
        first = fields["acc_row"]
        last = first + (groups - 1) * fields["acc_stride"] + fields["m"] - 1
        assert first // half == last // half < 2
        units = rows * units_per_row(tile, Format(fields["format"]))
        assert fields["a_row"] + (fields["m"] - 1) * fields["a_stride"] + depth <= units
        assert fields["w_row"] + (fields["k"] - 1) * fields["w_stride"] + groups <= units
        if fields["scaled"]:
            scales = -(-fields["k"] // 32)
            used = -(-fields["m"] // tile.row_bytes)
            assert fields["a_scale_row"] + (scales - 1) * fields["a_scale_stride"] + used <= rows
            last = fields["w_scale_row"] + (scales - 1) * fields["w_scale_stride"] + groups
            assert last <= rows * units_per_row(tile, Format.INT8)
    elif command.opcode in (Opcode.LOAD, Opcode.STORE):
        used = -(-fields["row_bytes"] // tile.row_bytes)
        last = fields["local_row"] + (fields["rows"] - 1) * fields["local_stride"]
        assert last + used <= rows
    elif command.opcode is Opcode.VECTOR:
        wide = fields["output"] == VectorOutput.INT32.value
        row_bytes = -(-fields["n"] // lanes) * lanes * (4 if wide else 1)
        units = 1 if wide else units_per_row(tile, Format.INT8)
        assert fields["out_row"] % units == fields["out_stride"] % units == 0
        last = fields["out_row"] + (fields["m"] - 1) * fields["out_stride"]
        assert last // units + -(-row_bytes // tile.row_bytes) <= rows


@pytest.mark.parametrize("name", PRESETS)
def test_local_memories_suffice(name):
    """A command reaches beyond a local memory, or a block beyond its half of the accumulator."""
    config = preset(name)
    for m, k, n in _sizes(config):
        for int8 in (False, True):
            for row in plan_gemm(config, _task(m, k, n, int8, full=int8), _DRAM).commands:
                _check_local(config, unpack(row))


@pytest.mark.parametrize("resident", [False, True])
@pytest.mark.parametrize(
    ("code", "scaled"),
    [(Format.INT4, False), (Format.BF16, False), (Format.FP8E4M3, False), (Format.FP8E5M2, True)],
)
def test_formats_are_safe_and_complete(code, scaled, resident):
    """An operand row is counted in units of another format, or a piece begins inside a group of
    operands with one scale.
    """
    config = preset("micro")
    for m, k, n in _sizes(config):
        task = replace(
            _task(m, k, n),
            format=code,
            scaled=scaled,
            out_format=Format.INT32 if code is Format.INT4 else Format.FP32,
            **({"a_scales_address": 6 << 30, "b_scales_address": 7 << 30} if scaled else {}),
        )
        try:
            plan = plan_gemm(config, task, _DRAM, resident=resident)
        except ValueError:
            assert resident
            continue
        check_program(plan.commands, balanced=True)
        loads = [*plan.prologue, *plan.commands]
        macs = 0
        for command in map(unpack, loads):
            _check_local(config, command)
            if command.opcode is Opcode.MATMUL:
                fields = command.fields
                assert (fields["format"], fields["scaled"]) == (code.value, scaled)
                macs += fields["m"] * fields["k"] * fields["n"]
            if (
                command.opcode is Opcode.LOAD
                and scaled
                and command.fields["memory_address"] >> 30 == 6
            ):
                groups = command.fields["memory_address"] - (6 << 30)
                assert command.fields["row_bytes"] + groups % m <= m
        assert macs == task.macs


def test_operands_and_results_keep_to_their_banks():
    """The array's reads meet other traffic in a bank."""
    config = preset("base")
    bank = config.tile.scratchpad_rows // config.tile.scratchpad_banks
    banks = {"a": set(), "b": set(), "out": set()}
    for row in plan_gemm(config, _task(512, 512, 512), _DRAM).commands:
        fields = unpack(row).fields
        if "a_row" in fields:
            units = bank * units_per_row(config.tile, Format.INT8)
            banks["a"].add(fields["a_row"] // units)
            banks["b"].add(fields["w_row"] // units)
        elif "out_row" in fields:
            banks["out"].add(fields["out_row"] // bank)
    assert not banks["a"] & banks["b"]
    assert banks["out"] == {3}
    assert 3 not in banks["a"] | banks["b"]


@pytest.mark.parametrize("name", ["quad", "mesh16"])
def test_tiles_share_the_work(name):
    """One tile gets more than its share, or all use one memory endpoint."""
    config = preset(name)
    plan = plan_gemm(config, _task(512, 64, 512), _DRAM)
    assert len(plan.parts) == config.mesh.tiles
    assert len({part.m * part.n for part in plan.parts}) == 1
    for part in plan.parts:
        assert part.endpoint == part.tile[1] % config.mesh.memory_endpoints


def test_tiles_take_turns_in_the_ring():
    """One tile's commands fill the ring before another's first one."""
    config = preset("quad")
    plan = plan_gemm(config, _task(256, 256, 256), _DRAM)
    tiles = [unpack(row).tile for row in plan.commands]
    assert len(set(tiles[:16])) == 4
    for tile in set(tiles):
        share = [position for position, other in enumerate(tiles) if other == tile]
        # after any quarter of the ring, each tile has had about a quarter of its commands
        middle = sum(position < len(tiles) // 2 for position in share)
        assert abs(middle - len(share) / 2) < 8


def test_resident_programs_load_nothing():
    """A resident product still loads operands when it is timed."""
    plan = plan_gemm(preset("base"), _task(512, 192, 512), _DRAM, resident=True)
    opcodes = {unpack(row).opcode for row in plan.commands}
    assert opcodes == {Opcode.MATMUL, Opcode.VECTOR, Opcode.STORE}
    assert {unpack(row).opcode for row in plan.prologue} == {Opcode.LOAD}
    check_program(plan.prologue, balanced=True)


def test_resident_products_must_fit():
    """Operands that do not fit are said to be resident."""
    with pytest.raises(ValueError, match="must fit the scratchpad to be resident"):
        plan_gemm(preset("base"), _task(512, 512, 512), _DRAM, resident=True)


def test_sums_must_fit_int32():
    """A K whose sums could wrap is computed all the same."""
    with pytest.raises(
        ValueError, match="k must be at most 131071 for exact int32 sums, not 131072"
    ):
        plan_gemm(preset("base"), _task(1, 131072, 1), _DRAM)


def test_extreme_shapes_are_planned():
    """A size of 65,535 overflows a field, or takes for ever to plan."""
    for shape in ((65535, 1, 1), (1, 65535, 1), (1, 1, 65535), (65535, 3, 9)):
        plan = plan_gemm(preset("nano"), _task(*shape), _DRAM)
        check_program(plan.commands, balanced=True)


def test_plan_explains_itself():
    """The explanation leaves out what was chosen."""
    text = plan_gemm(preset("quad"), _task(64, 64, 64), _DRAM).explain()
    assert text.startswith("64 x 64 by 64 x 64 -> int32 on 4 tile(s)")
    for word in ("blocks of", "stay in the scratchpad", "modelled:", "candidates"):
        assert word in text
