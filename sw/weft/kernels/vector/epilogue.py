"""What becomes of a matmul's sums on their way out of the accumulators, in one program."""

from __future__ import annotations

from weft_hw.formats.table import Format

from ...microcode import Assembler, Program
from .exponential import exp_value
from .gelu import gelu_tanh_value, gelu_value
from .relu import relu_value
from .sigmoid import sigmoid_value, silu_value
from .tanh import tanh_value

__all__ = ["ACTIVATIONS", "epilogue"]

#: Activations by name.
ACTIVATIONS = {
    "relu": relu_value,
    "gelu": gelu_value,
    "gelu_tanh": gelu_tanh_value,
    "silu": silu_value,
    "sigmoid": sigmoid_value,
    "tanh": tanh_value,
    "exp": exp_value,
}
_INTEGERS = (Format.INT8, Format.INT4, Format.INT32)


def epilogue(
    *,
    bias: bool = False,
    scale: str | None = None,
    activation: str | None = None,
    residual: str | None = None,
    quantise: bool = False,
    out: Format = Format.BF16,
    saturate: bool = False,
    turned: bool = False,
) -> Program:
    """``out = activation(acc * scale + bias [+ residual]) [+ residual]``.

    Streams, in this order, those asked for: ``acc`` (in the accumulators, INT32 or FP32), ``bias``
    and ``scale`` (row stride 0, any format), ``residual`` (any format), ``out``. Scalars, in this
    order: ``scale``, ``out_scale`` and ``zero_point`` (int32).

    Parameters
    ----------
    bias : bool
    scale : ``"scalar"``, ``"columns"`` or None
        one factor for all, or a stream with one for each column.
    activation : str, optional
        one of ``ACTIVATIONS``; in its fast form unless ``out`` is FP32.
    residual : ``"before"``, ``"after"`` or None
        on which side of the activation it is added.
    quantise : bool
        ``out`` is an integer format: ``round(y * out_scale) + zero_point``, saturated.
    out : Format
        of the result.
    saturate : bool
        floating-point results beyond the format's largest number become that number.
    turned : bool
        for a command whose rows are the matrix's column blocks and whose columns are its rows, with
        all streams' strides exchanged: bias and scale are loaded once a strip then.

    Raises
    ------
    ValueError
        for an unknown name, or more streams than a command has.
    """
    if activation is not None and activation not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, not {activation!r}")
    if scale not in (None, "scalar", "columns"):
        raise ValueError(f"scale must be 'scalar', 'columns' or None, not {scale!r}")
    if residual not in (None, "before", "after"):
        raise ValueError(f"residual must be 'before', 'after' or None, not {residual!r}")
    if quantise and out not in _INTEGERS:
        raise ValueError(f"out must be an integer format to quantise, not {out.name}")
    asm = Assembler("epilogue")
    acc = asm.source("acc")
    bias_stream = asm.source("bias") if bias else None
    scale_stream = asm.source("scale") if scale == "columns" else None
    residual_stream = asm.source("residual") if residual else None
    target = asm.target("out")
    factor = asm.scalar("scale") if scale == "scalar" else None
    out_scale, zero_point = (
        (asm.scalar("out_scale"), asm.scalar("zero_point")) if quantise else (None, None)
    )
    function = None if activation is None else ACTIVATIONS[activation]
    kept = {
        stream: asm.load(stream)
        for stream in (scale_stream, bias_stream)
        if turned and stream is not None
    }
    with asm.loop():
        y = asm.load(acc)
        if factor is not None:
            y = y * factor
        if scale_stream is not None:
            y = y * (kept.get(scale_stream) or asm.load(scale_stream))
        if bias_stream is not None:
            y = y + (kept.get(bias_stream) or asm.load(bias_stream))
        if residual_stream is not None and residual == "before":
            y = y + asm.load(residual_stream)
        if function is not None:
            y = function(asm, y, fast=out is not Format.FP32)
        if residual_stream is not None and residual == "after":
            y = y + asm.load(residual_stream)
        if out_scale is not None and zero_point is not None:
            # rounded before the zero point is added, as ONNX has it; beyond it is saturated anyway
            y = asm.minimum(asm.maximum(y * out_scale, -(2.0**30)), 2.0**30)
            y = asm.int_add(asm.to_int(y), zero_point)
        asm.store(target, y, integer=quantise, saturate=saturate)
    return asm.build()
