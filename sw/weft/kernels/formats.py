"""Formats of operands and results by their numpy dtypes."""

from __future__ import annotations

from dataclasses import dataclass

import ml_dtypes
import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.formats.table import FLOAT_OPERANDS, Format

__all__ = [
    "OPERAND_TYPES",
    "RESULTS",
    "OperandType",
    "dtype_of",
    "format_of",
    "operand_type",
    "require_format",
]


@dataclass(frozen=True, slots=True)
class OperandType:
    """What the array multiplies: ``name`` as in ``TileConfig.formats``, ``dtype`` on the host."""

    name: str
    format: Format
    dtype: np.dtype

    @property
    def is_float(self) -> bool:
        """Whether sums are fp32, not int32."""
        return self.name in FLOAT_OPERANDS


OPERAND_TYPES = tuple(
    OperandType(name, code, np.dtype(dtype))
    for name, code, dtype in (
        ("int8", Format.INT8, np.int8),
        ("int4", Format.INT4, ml_dtypes.int4),
        ("bf16", Format.BF16, ml_dtypes.bfloat16),
        ("fp8e4m3", Format.FP8E4M3, ml_dtypes.float8_e4m3fn),
        ("fp8e5m2", Format.FP8E5M2, ml_dtypes.float8_e5m2),
    )
)

#: Dtypes of results by name.
RESULTS = {
    "int32": Format.INT32,
    "float32": Format.FP32,
    **{str(kind.dtype): kind.format for kind in OPERAND_TYPES},
}


def dtype_of(code: Format) -> np.dtype:
    """The host's dtype of a format."""
    return next(np.dtype(name) for name, found in RESULTS.items() if found is code)


def operand_type(config: ChipConfig, dtype: np.dtype, what: str) -> OperandType:
    """The operand format that ``dtype`` stands for.

    Raises
    ------
    TypeError
        if the array of no chip multiplies it.
    ValueError
        if ``config`` lacks it.
    """
    for kind in OPERAND_TYPES:
        if kind.dtype == dtype:
            require_format(config, kind.name, what)
            return kind
    built = " or ".join(str(kind.dtype) for kind in OPERAND_TYPES if kind.name in _built(config))
    raise TypeError(f"{what} must have dtype {built}, not {dtype}; convert it with astype")


def format_of(config: ChipConfig, dtype: np.dtype, what: str) -> Format:
    """The format of a stream with that dtype.

    Raises
    ------
    TypeError
        if the vector engine of this chip does not convert it.
    """
    # int8 and the 32-bit formats are always there
    built = ["int8", "int32", "float32"]
    names = config.tile.formats
    built += [
        name
        for name, key in (
            ("int4", "int4"),
            ("bfloat16", "bf16"),
            ("float8_e4m3fn", "fp8e4m3"),
            ("float8_e5m2", "fp8e5m2"),
        )
        if key in names
    ]
    if str(dtype) not in built:
        raise TypeError(
            f"{what} must have dtype {' or '.join(built)} on {config.name}, not {dtype}; "
            "convert it with astype"
        )
    return RESULTS[str(dtype)]


def require_format(config: ChipConfig, name: str, what: str) -> None:
    """Raises ``ValueError`` unless the configuration has the operand format ``name``."""
    if name not in _built(config):
        raise ValueError(
            f"{what} must be among the formats that {config.name} is built with "
            f"({', '.join(_built(config))}), not {name}; "
            "use a preset that has it, or convert the operands"
        )


def _built(config: ChipConfig) -> tuple[str, ...]:
    return config.tile.formats
