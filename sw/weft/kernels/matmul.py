"""``a @ b`` on a device, with what the vector engine can do to the result on its way out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from weft_hw.formats.table import Format

from ..compiler.plan import GemmPlan, plan_gemm
from ..compiler.task import GemmTask
from .operands import Operand, check_operand, check_shape, on_device, scale_vector, small_integer

if TYPE_CHECKING:
    from ..buffer import DeviceBuffer
    from ..device import Device
    from ..event import Event

__all__ = ["Operand", "PlannedMatmul", "matmul_async", "plan_matmul"]

_OUT_DTYPES = {"int32": np.int32, "int8": np.int8}


@dataclass(frozen=True, slots=True)
class PlannedMatmul:
    """A product ready to run: its plan, its buffers. ``out`` will hold the result."""

    plan: GemmPlan
    out: DeviceBuffer
    buffers: tuple[DeviceBuffer, ...]

    def load(self, device: Device) -> Event | None:
        """Submits the loads of resident operands; None if there are none."""
        if len(self.plan.prologue) == 0:
            return None
        return device.submit(self.plan.prologue, keep=self.buffers)

    def run(self, device: Device) -> Event:
        """Submits the product."""
        return device.submit(self.plan.commands, keep=(*self.buffers, self.out), result=self.out)


def plan_matmul(
    device: Device,
    a: Operand,
    b: Operand,
    *,
    bias: Operand | None = None,
    scale: Operand | float | None = None,
    zero_point: int = 0,
    clamp: tuple[int, int] = (-128, 127),
    relu: bool = False,
    residual: Operand | None = None,
    out_dtype: str | None = None,
    out: DeviceBuffer | None = None,
    tiles: int | None = None,
    resident: bool = False,
    explain: bool = False,
) -> PlannedMatmul:
    """Validates a product, copies what is not on the device yet, and plans it. See
    ``matmul_async``.
    """
    device.require_open()
    a = check_operand(device, a, "a", np.int8, 2)
    b = check_operand(device, b, "b", np.int8, 2)
    (m, k), n = a.shape, b.shape[1]
    if b.shape[0] != k:
        raise ValueError(
            f"a and b must agree in K: a is {a.shape}, so b must have {k} rows, not shape {b.shape}"
        )
    if out_dtype is None:
        out_dtype = "int32" if scale is None else "int8"
    if out_dtype not in _OUT_DTYPES:
        raise ValueError(f"out_dtype must be one of {', '.join(_OUT_DTYPES)}, not {out_dtype!r}")
    low, high = _clamp(clamp, zero_point, relu)
    if bias is not None:
        bias = check_operand(device, bias, "bias", np.int32, 1)
        check_shape(bias, "bias", (n,), "one for each column of b")
    if out_dtype == "int8":
        if scale is None:
            raise ValueError("scale must be given for out_dtype int8, not None")
        scale = scale_vector(device, scale, n)
        if residual is not None:
            residual = check_operand(device, residual, "residual", np.int8, 2)
            check_shape(residual, "residual", (m, n), "that of the result")
    else:
        given = {
            "scale": scale is not None,
            "residual": residual is not None,
            "relu": relu,
            "zero_point": zero_point != 0,
            "clamp": (low, high) != (-128, 127),
        }
        wrong = [name for name, is_given in given.items() if is_given]
        if wrong:
            raise ValueError(f"{wrong[0]} must be left out for out_dtype int32; ask for int8")
    if out is not None:
        check_operand(device, out, "out", _OUT_DTYPES[out_dtype], 2)
        check_shape(out, "out", (m, n), "that of the result")
    chosen = _tiles(device, tiles)
    vectors = {"bias": bias, "scale": scale, "residual": residual}
    placed = {
        name: on_device(device, value)  # type: ignore[arg-type]
        for name, value in {"a": a, "b": b, **vectors}.items()
        if value is not None
    }
    if out is None:
        out = device.empty((m, n), _OUT_DTYPES[out_dtype])
    task = GemmTask(
        m=m, k=k, n=n,
        a_address=placed["a"].address,
        b_address=placed["b"].address,
        out_address=out.address,
        out_format=Format.INT8 if out_dtype == "int8" else Format.INT32,
        **{f"{name}_address": placed[name].address for name in vectors if name in placed},
        zero_point=small_integer(zero_point, "zero_point"),
        clamp_min=low,
        clamp_max=high,
    )  # fmt: skip
    plan = plan_gemm(device.config, task, device.target.dram, tiles=chosen, resident=resident)
    if explain:
        print(plan.explain())
    return PlannedMatmul(plan, out, tuple(placed.values()))


def matmul_async(device: Device, a: Operand, b: Operand, **options: Any) -> Event:
    """``a @ b``; the event's ``wait()`` gives the buffer with the result.

    Parameters
    ----------
    a : (M, K) array or buffer of int8
    b : (K, N) array or buffer of int8
        M, K and N from 1 to 65,535. Arrays are copied to the device, buffers are used where they
        are.
    bias : (N,) of int32, optional
        added to the sums; wraps in int32.
    scale : (N,) of float32 or a number
        for int8 results: ``round(float32(sum + bias) * scale)``, ties to even.
    zero_point : int
        of int8 results, added after rounding.
    clamp : (int, int)
        least and largest int8 result.
    relu : bool
        results below ``zero_point`` become ``zero_point``.
    residual : (M, N) of int8, optional
        added to int8 results before clamping.
    out_dtype : ``"int32"`` or ``"int8"``
        int8 if left out and a scale is given, else int32.
    out : (M, N) buffer, optional
        where the result goes; a new buffer if left out.
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


def _clamp(clamp: tuple[int, int], zero_point: int, relu: bool) -> tuple[int, int]:
    if not isinstance(clamp, tuple | list) or len(clamp) != 2:
        raise TypeError(f"clamp must be a pair of integers, not {clamp!r}")
    low, high = (small_integer(value, "clamp") for value in clamp)
    if relu:
        low = max(low, small_integer(zero_point, "zero_point"))
    if low > high:
        raise ValueError(
            f"clamp must have its low end first (with relu: above zero_point), not {clamp}"
        )
    return low, high


def _tiles(device: Device, count: int | None) -> tuple[tuple[int, int], ...] | None:
    if count is None:
        return None
    mesh = device.config.mesh
    if isinstance(count, bool) or not isinstance(count, int | np.integer):
        raise TypeError(f"tiles must be an integer, not {count!r}")
    if not 1 <= count <= mesh.tiles:
        raise ValueError(f"tiles must be between 1 and {mesh.tiles}, not {count}")
    everywhere = [(x, y) for y in range(mesh.rows) for x in range(mesh.cols)]
    return tuple(everywhere[:count])
