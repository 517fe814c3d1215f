"""What becomes of a product's sums on their way out: options checked, results' format chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.formats.table import Format

from ..compiler.layout import layout_of
from ..compiler.task import Epilogue
from .formats import RESULTS, dtype_of, format_of
from .operands import Operand, check_operand, check_shape, scale_vector, small_integer
from .scalars import scalar_bits
from .vector import epilogue
from .vector.partial import add_partial

if TYPE_CHECKING:
    from ..device import Device
    from ..microcode import Program

__all__ = ["Finish", "Options", "finish"]

_FLOATS = (Format.FP32, Format.BF16, Format.FP8E4M3, Format.FP8E5M2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What ``matmul_async`` takes beside operands; see there."""

    bias: Operand | None = None
    scale: Operand | float | None = None
    zero_point: int = 0
    clamp: tuple[int, int] = (-128, 127)
    relu: bool = False
    residual: Operand | None = None
    residual_after: bool = False
    activation: str | None = None
    out_dtype: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """Checked options. ``operands``: bias, scale and residual where there are such; ``task``: the
    fields of ``GemmTask`` that follow; ``programs``: those of its epilogue, if it has one.
    """

    out_format: Format
    operands: dict[str, Operand] = field(default_factory=dict)
    task: dict[str, Any] = field(default_factory=dict)
    programs: tuple[Program, ...] = ()


def _by_program(device: Device, options: Options, name: str, m: int, n: int) -> Finish:
    """Any sums to floating point, or fp32 sums to int8, by an epilogue."""
    refuse(
        f"out_dtype {name} by a program; scale, bias, activation and residual are what it knows",
        clamp=tuple(options.clamp) != (-128, 127),
        zero_point=options.zero_point != 0 and name != "int8",
    )
    if options.relu and options.activation not in (None, "relu"):
        raise ValueError(f"relu must be left out beside activation {options.activation!r}")
    operands: dict[str, Operand] = {}
    scalars: dict[str, float | int] = {}
    kinds: dict[str, str | None] = {"scale": None, "residual": None}
    quantise = name == "int8"
    if options.bias is not None:
        operands["bias"] = vector_operand(device, options.bias, "bias", np.float32, n)
    if quantise:
        if options.scale is None:
            raise ValueError("scale must be given for out_dtype int8, not None")
        scalars["out_scale"] = _number(options.scale, "scale")
        scalars["zero_point"] = small_integer(options.zero_point, "zero_point")
    elif options.scale is not None:
        if isinstance(options.scale, int | float | np.floating | np.integer):
            kinds["scale"] = "scalar"
            scalars["scale"] = _number(options.scale, "scale")
        else:
            kinds["scale"] = "columns"
            operands["scale"] = scale_vector(device, options.scale, n)
    task: dict[str, Any] = {}
    if options.residual is not None:
        kinds["residual"] = "after" if options.residual_after else "before"
        operands["residual"] = matrix_operand(device, options.residual, None, (m, n))
        task["residual_format"] = format_of(device.config, operands["residual"].dtype, "residual")
    if len(operands) > 2:
        raise ValueError(
            "bias, a scale for each column and residual must not all be given, because a program "
            "has four streams; multiply the scale into b, or add the residual afterwards"
        )
    out_format = format_of(device.config, dtype_of(RESULTS[name]), "out_dtype")
    programs = _programs(
        bias="bias" in operands,
        scale=kinds["scale"],
        activation="relu" if options.relu else options.activation,
        residual=kinds["residual"],
        quantise=quantise,
        out=out_format,
        saturate=name.startswith("float8"),
    )
    # a plan may add one that adds up partial sums
    room = device.config.tile.microprogram_entries - len(add_partial(integer=False))
    if sum(len(program) for program in programs) > room:
        programs = programs[:1]
    formats: dict[str, Format | None] = {"bias": Format.FP32, "scale": Format.FP32}
    formats["out"] = out_format
    formats["residual"] = task.get("residual_format", Format.FP32)
    task["epilogue"] = Epilogue(
        streams=programs[0].streams,
        scalars=tuple(scalar_bits(scalars[scalar]) for scalar in programs[0].scalars),
        row_cycles=_cycles(device.config, programs[0], formats),
        turned_cycles=_cycles(device.config, programs[1], {**formats, "bias": None, "scale": None})
        if len(programs) > 1
        else 0,
    )
    return Finish(out_format=out_format, operands=operands, task=task, programs=programs)


def _cycles(config: ChipConfig, program: Program, formats: Mapping[str, Format | None]) -> int:
    """Of a vector: an instruction each, and as many more as streams in the scratchpad that move
    with it have further rows.
    """
    moved = [formats[name] for name in program.streams if name != "acc"]
    rows = [
        layout_of(config, code).rows_of(config.tile.array_cols)
        for code in moved
        if code is not None
    ]
    return program.per_block + sum(rows) - len(rows)


@lru_cache(maxsize=256)
def _programs(**options: Any) -> tuple[Program, ...]:
    """An epilogue, and the same turned."""
    return epilogue(**options), epilogue(**options, turned=True)


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating | np.integer):
        raise TypeError(f"{what} must be a number, not {value!r}")
    if not np.isfinite(value):
        raise ValueError(f"{what} must be finite, not NaN or infinite")
    return float(value)


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


def finish(device: Device, options: Options, m: int, n: int, *, is_float: bool) -> Finish:
    """What becomes of M x N sums, fp32 with ``is_float``, else int32.

    Raises
    ------
    TypeError, ValueError
        for options that do not go together or are of the wrong kind, dtype or shape.
    """
    floats = tuple(name for name in RESULTS if RESULTS[name] in _FLOATS)
    if is_float:
        name = result_name(options.out_dtype, (*floats, "int8"), "float32")
    else:
        default = "int32" if options.scale is None else "int8"
        allowed = ("int32", "int8", *(floats if device.config.tile.has_float else ()))
        name = result_name(options.out_dtype, allowed, default)
    if not is_float and name in ("int32", "int8"):
        return _by_command(device, options, name, m, n)
    if name == "float32" and is_float and _is_plain(options):
        return Finish(out_format=Format.FP32)
    return _by_program(device, options, name, m, n)


def _is_plain(options: Options) -> bool:
    """Whether nothing is asked for but the sums."""
    given = (options.bias, options.scale, options.residual, options.activation)
    rest = (options.relu, options.zero_point, tuple(options.clamp))
    return all(value is None for value in given) and rest == (False, 0, (-128, 127))


def _by_command(device: Device, options: Options, name: str, m: int, n: int) -> Finish:
    """int32 sums: as they are plus bias, or requantised to int8 by a VECTOR command."""
    refuse(
        f"{name} results of integers; ask for float32", activation=options.activation is not None
    )
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
