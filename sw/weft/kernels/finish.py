"""What becomes of a product's sums on their way out: options checked, results' format chosen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from weft_hw.formats.table import Format

from .operands import Operand, check_operand, check_shape, scale_vector, small_integer

if TYPE_CHECKING:
    from ..device import Device

__all__ = ["Finish", "Options", "finish_floats", "finish_integers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What ``matmul_async`` takes beside operands; see there."""

    bias: Operand | None = None
    scale: Operand | float | None = None
    zero_point: int = 0
    clamp: tuple[int, int] = (-128, 127)
    relu: bool = False
    residual: Operand | None = None
    out_dtype: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """Checked options. ``operands``: bias, scale and residual where there are such; ``task``: the
    fields of ``GemmTask`` that follow.
    """

    out_format: Format
    operands: dict[str, Operand] = field(default_factory=dict)
    task: dict[str, Any] = field(default_factory=dict)


def result_name(out_dtype: Any, allowed: tuple[str, ...], default: str) -> str:
    """The name of a result's dtype, given as name or dtype.

    Raises
    ------
    ValueError
        if it is none of ``allowed``.
    """
    if out_dtype is None:
        return default
    name = out_dtype
    if not isinstance(name, str):
        try:
            name = str(np.dtype(out_dtype))
        except TypeError:
            name = out_dtype
    if name not in allowed:
        raise ValueError(f"out_dtype must be one of {', '.join(allowed)}, not {out_dtype!r}")
    return name


def finish_integers(device: Device, options: Options, m: int, n: int) -> Finish:
    """int32 sums: as they are plus bias, or requantised to int8 by a VECTOR command.

    Raises
    ------
    TypeError, ValueError
        for options that do not go together or are of the wrong kind, dtype or shape.
    """
    default = "int32" if options.scale is None else "int8"
    name = result_name(options.out_dtype, ("int32", "int8"), default)
    low, high = _clamp(options.clamp, options.zero_point, options.relu)
    operands: dict[str, Operand] = {}
    if options.bias is not None:
        operands["bias"] = vector_operand(device, options.bias, "bias", np.int32, n)
    if name == "int32":
        refuse(
            "out_dtype int32; ask for int8",
            scale=options.scale is not None,
            residual=options.residual is not None,
            relu=options.relu,
            zero_point=options.zero_point != 0,
            clamp=(low, high) != (-128, 127),
        )
        return Finish(out_format=Format.INT32, operands=operands)
    if options.scale is None:
        raise ValueError("scale must be given for out_dtype int8, not None")
    operands["scale"] = scale_vector(device, options.scale, n)
    if options.residual is not None:
        operands["residual"] = matrix_operand(device, options.residual, np.int8, (m, n))
    zero_point = small_integer(options.zero_point, "zero_point")
    task = {"zero_point": zero_point, "clamp_min": low, "clamp_max": high}
    return Finish(out_format=Format.INT8, operands=operands, task=task)


def finish_floats(device: Device, options: Options, m: int, n: int) -> Finish:
    """fp32 sums, as they are.

    Raises
    ------
    TypeError, ValueError
        for options that do not go together or are of the wrong kind, dtype or shape.
    """
    result_name(options.out_dtype, ("float32",), "float32")
    refuse(
        "floating-point operands",
        bias=options.bias is not None,
        scale=options.scale is not None,
        residual=options.residual is not None,
        relu=options.relu,
        zero_point=options.zero_point != 0,
        clamp=tuple(options.clamp) != (-128, 127),
    )
    return Finish(out_format=Format.FP32)


def vector_operand(device: Device, value: object, what: str, dtype: Any, columns: int) -> Operand:
    """A vector of one value for each column."""
    found = check_operand(device, value, what, dtype, 1)
    check_shape(found, what, (columns,), "one for each column of b")
    return found


def matrix_operand(device: Device, value: object, dtype: Any, shape: tuple[int, int]) -> Operand:
    """A residual: as many values as there are results."""
    found = check_operand(device, value, "residual", dtype, 2)
    check_shape(found, "residual", shape, "that of the result")
    return found


def refuse(wanted: str, **given: bool) -> None:
    """Raises ``ValueError`` for the first option that was given and does not belong."""
    wrong = [name for name, is_given in given.items() if is_given]
    if wrong:
        raise ValueError(f"{wrong[0]} must be left out for {wanted}")


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
