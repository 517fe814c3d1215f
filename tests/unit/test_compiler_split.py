"""Plans that split K over tiles: when, that they are complete, and how near their estimate is."""

from dataclasses import replace

import pytest
from weft.commands import unpack
from weft.compiler.check import check_program
from weft.compiler.plan import plan_gemm
from weft.compiler.task import Epilogue, GemmTask
from weft.gemm import gemm_report
from weft_hw.formats.table import Format
from weft_hw.isa import Opcode
from weft_hw.presets import preset
from weft_sim.dram import Dram

_DRAM = Dram(bytes_per_cycle=16)
_A, _B, _OUT = 1 << 30, 2 << 30, 3 << 30


def _task(m: int, k: int, n: int, **fields) -> GemmTask:
    fields = {"out_format": Format.INT32} | fields
    return GemmTask(m=m, k=k, n=n, a_address=_A, b_address=_B, out_address=_OUT, **fields)


@pytest.mark.parametrize("name", ["micro", "quad", "mesh16"])
@pytest.mark.parametrize("shape", [(16, 4096, 16), (32, 8192, 32), (5, 3001, 11), (64, 4096, 64)])
def test_every_operand_once(name, shape):
    """A tile takes operands that another takes too, or nobody takes."""
    m, k, n = shape
    config = preset(name)
    plan = plan_gemm(config, _task(m, k, n), _DRAM)
    assert check_program(plan.commands, balanced=True).largest_count < 64
    assert sum(plan.k_lengths) == k
    commands = [unpack(row) for row in plan.commands]
    macs = sum(
        command.fields["m"] * command.fields["k"] * command.fields["n"]
        for command in commands
        if command.opcode is Opcode.MATMUL
    )
    assert macs == m * k * n
    stored = [
        (command.fields["memory_address"] - _OUT + row * command.fields["memory_stride"], at)
        for command in commands
        if command.opcode is Opcode.STORE and not command.fields["to_tiles"]
        for row in range(command.fields["rows"])
        for at in range(0, command.fields["row_bytes"], 4)
    ]
    assert sorted(first + at for first, at in stored) == list(range(0, 4 * m * n, 4))
    if len(plan.parts) == len(plan.k_lengths) > 1:
        # one group: its tiles share nothing
        loaded = {_A: 0, _B: 0}
        for command in commands:
            if command.opcode is Opcode.LOAD:
                operand = _A if command.fields["memory_address"] < _B else _B
                loaded[operand] += command.fields["rows"] * command.fields["row_bytes"]
        assert loaded == {_A: m * k, _B: k * n}


def test_small_results_of_a_long_k():
    """K is not split where there are more tiles than parts of the result."""
    for name in ("quad", "mesh16"):
        config = preset(name)
        plan = plan_gemm(config, _task(16, 4096, 16), _DRAM)
        assert len(plan.k_lengths) == config.mesh.tiles
        assert "tiles share K" in plan.explain()
        alone = plan_gemm(config, _task(16, 4096, 16), _DRAM, tiles=((0, 0),))
        assert alone.k_lengths == (4096,)
        assert plan.modelled_cycles < alone.modelled_cycles / 2


def test_not_where_it_gains_nothing():
    """Partial sums are sent about though every tile has its part of the result."""
    assert plan_gemm(preset("quad"), _task(256, 256, 256), _DRAM).k_lengths == (256,)
    assert plan_gemm(preset("quad"), _task(16, 16, 16), _DRAM).k_lengths == (16,)


def test_not_where_sums_cannot_be_added():
    """A chip without a vector processor, or a task with a microprogram of its own, is given partial
    sums.
    """
    quad = preset("quad")
    integers = quad.replace_tile(formats=("int8",), transpose=False)
    assert plan_gemm(integers, _task(16, 4096, 16), _DRAM).k_lengths == (4096,)
    floats = _task(16, 4096, 16, format=Format.BF16, out_format=Format.BF16)
    finished = replace(floats, epilogue=Epilogue(streams=("acc", "out")))
    assert plan_gemm(quad, finished, _DRAM).k_lengths == (4096,)
    requantised = _task(16, 4096, 16, out_format=Format.INT8, scale_address=5 << 30)
    assert plan_gemm(quad, requantised, _DRAM).k_lengths == (4096,)


def test_scales_are_whole():
    """A group of operands that have one scale goes to two tiles."""
    task = _task(
        16, 4096, 16, format=Format.FP8E4M3, out_format=Format.FP32, scaled=True,
        a_scales_address=5 << 30, b_scales_address=6 << 30,
    )  # fmt: skip
    lengths = plan_gemm(preset("quad"), task, _DRAM).k_lengths
    assert len(lengths) > 1
    assert all(length % 32 == 0 for length in lengths[:-1])


@pytest.mark.parametrize(
    ("name", "dtype", "shape", "how"),
    [
        ("quad", "int8", (16, 4096, 16), "split"),
        ("mesh16", "bf16", (16, 4096, 16), "split"),
        ("mesh16", "int8", (128, 128, 128), "shared"),
        ("mesh16", "int8", (64, 64, 256), "shared"),
    ],
)
def test_the_estimate_is_near(name, dtype, shape, how):
    """What the planner compares is not what the cycle model finds: 20 % at most."""
    report = gemm_report(*shape, dtype=dtype, preset=name, dram=Dram(bytes_per_cycle=16))
    assert report["bit_exact"]
    error = report["modelled_cycles"] / report["cycles"] - 1
    assert abs(error) < 0.20, (how, report["modelled_cycles"], report["cycles"])
