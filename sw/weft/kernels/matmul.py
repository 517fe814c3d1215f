"""``a @ b`` on a device, with what the vector engine can do to the result on its way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..compiler.task import GemmTask
from ..microscaling import MxArray
from ..packing import INT4
from .finish import Options, finish
from .formats import OperandType, dtype_of, operand_type, require_format
from .operands import Operand, check_operand, result_buffer
from .product import PlannedMatmul, choose_tiles, place, plan_task

if TYPE_CHECKING:
    from ..buffer import DeviceBuffer
    from ..device import Device
    from ..event import Event

__all__ = ["Operand", "PlannedMatmul", "matmul_async", "plan_matmul"]


def plan_matmul(
    device: Device,
    a: Operand | MxArray,
    b: Operand | MxArray,
    *,
    out: DeviceBuffer | None = None,
    tiles: int | None = None,
    resident: bool = False,
    explain: bool = False,
    transpose_b: bool = False,
    **options: Any,
) -> PlannedMatmul:
    """Validates a product, copies what is not on the device yet, and plans it. See
    ``matmul_async``.
    """
    device.require_open()
    kind, operands = _operands(device, a, b, transpose_b)
    (m, k), n = operands["a"].shape, operands["b"].shape[0 if transpose_b else 1]
    finished = finish(device, Options(**options), m, n, is_float=kind.is_float)
    chosen = choose_tiles(device, tiles)
    placed = place(device, {**operands, **finished.operands})
    apart = dict(placed)
    in_place = {"residual": apart.pop("residual")} if "residual" in apart else {}
    dtype = dtype_of(finished.out_format)
    out = result_buffer(device, out, (m, n), dtype, apart=apart, in_place=in_place)
    addresses: dict[str, Any] = {f"{name}_address": at.address for name, at in placed.items()}
    task = GemmTask(
        m=m, k=k, n=n, format=kind.format, out_format=finished.out_format, out_address=out.address,
        scaled="a_scales" in placed, b_transposed=transpose_b,
        **addresses, **finished.task,
    )  # fmt: skip
    return plan_task(
        device,
        task,
        out,
        tuple(placed.values()),
        chosen,
        programs=finished.programs,
        resident=resident,
        explain=explain,
    )


def _operands(
    device: Device, a: Operand | MxArray, b: Operand | MxArray, transpose_b: bool
) -> tuple[OperandType, dict[str, Operand]]:
    """Elements, and scales of MX operands, checked against each other and the chip."""
    if transpose_b:
        _check_turning(device, b)
    if isinstance(a, MxArray) != isinstance(b, MxArray):
        plain = "b" if isinstance(a, MxArray) else "a"
        raise TypeError(f"{plain} must be an MxArray like the other operand; see weft.quantise.mx")
    scales: dict[str, Operand] = {}
    if isinstance(a, MxArray) and isinstance(b, MxArray):
        require_format(device.config, "mxfp8", "a and b")
        for what, mx, axis in (("a", a, 1), ("b", b, 0)):
            if mx.axis != axis:
                raise ValueError(
                    f"{what} must have its scales along axis {axis} (K), not {mx.axis}; "
                    f"quantise it with axis={axis}"
                )
            scales[f"{what}_scales"] = check_operand(
                device, mx.scales, f"scales of {what}", np.uint8, 2
            )
        a, b = a.elements, b.elements
    # dtypes that no chip has are refused before the rest is looked at
    left = check_operand(device, a, "a", None, 2)
    kind = operand_type(device.config, left.dtype, "a")
    right = check_operand(device, b, "b", kind.dtype, 2)
    if right.shape[1 if transpose_b else 0] != left.shape[1]:
        raise ValueError(
            f"a and b must agree in K: a is {left.shape}, so b must have {left.shape[1]} "
            f"{'columns' if transpose_b else 'rows'}, not shape {right.shape}"
        )
    return kind, {"a": left, "b": right, **scales}


def _check_turning(device: Device, b: Operand | MxArray) -> None:
    """Whether the load engine can turn ``b``."""
    if isinstance(b, MxArray) or getattr(b, "dtype", None) == INT4:
        raise TypeError(
            "b must be turned on the host if it is of int4 or has scales; leave transpose_b out"
        )
    if not device.config.tile.transpose:
        raise ValueError(
            f"transpose_b must be left out on {device.config.name}, which is built without "
            "transpose; turn b on the host, or use a preset that has it"
        )


def matmul_async(
    device: Device, a: Operand | MxArray, b: Operand | MxArray, **options: Any
) -> Event:
    """``a @ b``; the event's ``wait()`` gives the buffer with the result.

    Parameters
    ----------
    a : (M, K) array or buffer
        of int8 or ``ml_dtypes``' int4 (int32 sums), bfloat16, float8_e4m3fn or float8_e5m2 (fp32
        sums, in the order of ``weft_sim.golden.matmul_float`` or, where several tiles share K,
        ``matmul_split``: ``plan_matmul(...).plan.k_lengths`` says which; results by program are
        never split so); or an ``MxArray`` with axis 1. The chip must have the format.
    b : (K, N) array or buffer of the same dtype; or an ``MxArray`` with axis 0
        M, K and N from 1 to 65,535. Arrays are copied to the device, buffers are used where they
        are.
    out_dtype : name or dtype
        of integer operands ``"int32"`` (the default) or ``"int8"`` (if a scale is given), made of
        the sums exactly; of floating-point operands ``"float32"``; of both, where the chip has a
        vector processor, also float32, bfloat16, float8_e4m3fn, float8_e5m2 (which saturates, like
        the other fp8), and of floating-point ones int8, by a microprogram in fp32 (results "by
        program" below: ``act(sum * scale + bias + residual)``).
    bias : (N,) of int32, or by program of float32, optional
        added to the sums; int32 wraps.
    scale : (N,) of float32 or a number
        for int8 results: ``round(float32(sum + bias) * scale)``, ties to even; by program a factor
        of the sums, or, for int8, a number that the result is multiplied with before it is rounded.
    zero_point : int
        of int8 results, added after rounding.
    clamp : (int, int)
        least and largest int8 result of integer operands.
    relu : bool
        results below ``zero_point`` become ``zero_point``; by program the same as ``activation``.
    activation : str, optional
        by program: one of ``weft.kernels.vector.ACTIVATIONS``; within 2 ULP of bf16, or 4 of fp32
        where results are float32.
    residual : (M, N) of int8, or by program of any dtype, optional
        added to int8 results before clamping; by program before the activation, or after it with
        ``residual_after``.
    out : (M, N) buffer, optional
        where the result goes; a new buffer if left out.
    transpose_b : bool
        ``b`` is (N, K), and turned as it is loaded, by chips that can.
    tiles : int, optional
        use so many tiles at most; all if left out.
    resident : bool
        load both operands to the scratchpads in a submission of their own first.
    explain : bool
        print the plan.

    Raises
    ------
    TypeError, ValueError
        for operands of the wrong kind, dtype, shape, layout or device, naming what to do.
    DeviceMemoryError
        if device memory has no room.
    """
    planned = plan_matmul(device, a, b, **options)
    planned.load(device)
    return planned.run(device)
