"""Multi-head attention: fused where a head's keys fit the tile, else product by product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from .attention_call import PROBABILITY_SCALE, AttentionCall, AttentionShape
from .attention_fused import fused_block, submit_fused
from .attention_products import submit_products
from .formats import OperandType, format_of, operand_type
from .operands import Operand, check_operand, check_shape, on_device, result_buffer

if TYPE_CHECKING:
    from ..buffer import DeviceBuffer
    from ..device import Device
    from ..event import Event

__all__ = ["attention"]


def attention(
    device: Device,
    q: Operand,
    k: Operand,
    v: Operand,
    *,
    heads: int,
    scale: float | None = None,
    mask: Operand | None = None,
    causal: bool = False,
    out_scale: float | None = None,
    out_dtype: Any = None,
    out: DeviceBuffer | None = None,
    fused: bool | None = None,
) -> Event:
    """``softmax(q k^T scale + mask) v`` for each head; the event's ``wait()`` gives the buffer
    (B, T, H * Dv). Where half of a scratchpad holds keys and values of a head, scores and
    probabilities stay in the tiles; otherwise they go through memory, with the same result.

    Parameters
    ----------
    q : (B, T, H * D) array or buffer of bfloat16, fp8 or int8
    k : (B, S, H * D) of the same dtype
    v : (B, S, H * Dv) of the same dtype
        a head's columns are neighbours.
    heads : int
        H.
    scale : float
        of the sums; 1 / sqrt(D) if left out. For int8 operands times their scales.
    mask : (S,), (B, S) or (B, T, S) of float32 or bfloat16, optional
        added to scaled scores; minus infinity shuts a key out.
    causal : bool
        query i sees keys up to i + S - T.
    out_scale : float, optional
        factor of the results; for int8 operands the scale of ``v`` (probabilities are int8 / 127
        there), which must be given.
    out_dtype : name or dtype
        bfloat16 if left out; or float32, fp8, int8.
    fused : bool, optional
        True demands that scores stay in the tiles, False that they do not.

    Raises
    ------
    TypeError, ValueError
        for operands of the wrong kind, dtype or shape, a chip that lacks a format, a vector
        processor or the transposing load, and heads that cannot be fused if that is demanded.
    """
    device.require_open()
    config = device.config
    kind, shape = _shape(device, q, k, v, heads)
    if not config.tile.transpose:
        raise ValueError(
            f"{config.name} must be built with transpose, which turns keys as they are loaded; "
            "use a preset that has it"
        )
    result = np.dtype(ml_dtypes.bfloat16) if out_dtype is None else np.dtype(out_dtype)
    out_format = format_of(config, result, "out_dtype")
    if not kind.is_float and out_scale is None:
        raise ValueError("out_scale must be given for int8 operands, not None")
    placed = {name: on_device(device, value) for name, value in (("q", q), ("k", k), ("v", v))}
    if mask is not None:
        placed["mask"] = on_device(device, _checked_mask(device, mask, shape))
    wanted = (shape.batch, shape.queries, heads * shape.width)
    out = result_buffer(device, out, wanted, result, apart=placed)
    factor = 1.0 if out_scale is None else float(out_scale)
    call = AttentionCall(
        device=device,
        kind=kind,
        shape=shape,
        buffers=placed,
        out=out,
        out_format=out_format,
        scale=shape.depth**-0.5 if scale is None else float(scale),
        factor=factor if kind.is_float else factor / PROBABILITY_SCALE,
        causal=bool(causal),
    )
    block = fused_block(call) if fused in (None, True) else 0
    if block:
        return submit_fused(call, block)
    if fused:
        raise ValueError(
            f"keys and values of a head, {shape.keys} x {shape.depth} and {shape.keys} x "
            f"{shape.width}, must fit half of the scratchpad of {config.name} with a query to be "
            "fused; leave fused out, or use a configuration with larger local memories"
        )
    return submit_products(call)


def _shape(
    device: Device, q: Operand, k: Operand, v: Operand, heads: int
) -> tuple[OperandType, AttentionShape]:
    q = check_operand(device, q, "q", None, 3)
    kind = operand_type(device.config, q.dtype, "q")
    if kind.name == "int4":
        raise TypeError(
            "q must not have dtype int4 in attention, because keys are turned as they are loaded, "
            "and that moves whole bytes; convert it to int8"
        )
    k = check_operand(device, k, "k", kind.dtype, 3)
    v = check_operand(device, v, "v", kind.dtype, 3)
    if isinstance(heads, bool) or not isinstance(heads, int | np.integer):
        raise TypeError(f"heads must be an integer, not {heads!r}")
    if heads < 1 or q.shape[2] % heads or v.shape[2] % heads:
        raise ValueError(
            f"heads must divide the columns of q and v, {q.shape[2]} and {v.shape[2]}, not {heads}"
        )
    check_shape(k, "k", (q.shape[0], k.shape[1], q.shape[2]), "batch and columns of q")
    check_shape(v, "v", (q.shape[0], k.shape[1], v.shape[2]), "batch of q, rows of k")
    depth, width = q.shape[2] // heads, v.shape[2] // heads
    return kind, AttentionShape(q.shape[0], q.shape[1], k.shape[1], int(heads), depth, width)


def _checked_mask(device: Device, mask: Operand, shape: AttentionShape) -> Operand:
    mask = check_operand(device, mask, "mask", None, None)
    if str(mask.dtype) not in ("float32", "bfloat16"):
        raise TypeError(f"mask must have dtype float32 or bfloat16, not {mask.dtype}")
    allowed = [
        (shape.keys,),
        (shape.batch, shape.keys),
        (shape.batch, shape.queries, shape.keys),
    ]
    if mask.shape not in allowed:
        names = " or ".join(str(one) for one in allowed)
        raise ValueError(f"mask must have shape {names}, not {mask.shape}")
    return mask
