"""Blocks that can be characterised: a name, how to build it, what one operation of it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from weft_hw.config import ChipConfig

__all__ = ["BLOCKS", "Block", "block_names"]


@dataclass(frozen=True, slots=True)
class Block:
    """``build(config, cols)`` gives the component. ``operation`` names what one cycle at full rate
    does and
    ``operations`` how many of them."""

    name: str
    operation: str
    build: Callable[[ChipConfig, int], Any]
    operations: Callable[[ChipConfig, int], int]


def _pe(config: ChipConfig, cols: int) -> Any:
    from weft_hw.array.pe import ProcessingElement

    return ProcessingElement(sum_bits=config.tile.column_sum_bits)


def _pe_float(config: ChipConfig, cols: int) -> Any:
    from weft_hw.array.pe_float import FloatProcessingElement

    return FloatProcessingElement()


def _row(config: ChipConfig, cols: int) -> Any:
    from weft_hw.array.row import ArrayRow

    return ArrayRow(cols=cols, sum_bits=config.tile.column_sum_bits)


def _array(config: ChipConfig, cols: int) -> Any:
    from weft_hw.array.systolic import SystolicArray

    return SystolicArray(config.tile)


def _lane(config: ChipConfig, cols: int) -> Any:
    from weft_hw.vector.requantiser.lane import VectorLane

    return VectorLane()


def _router(config: ChipConfig, cols: int) -> Any:
    from weft_hw.noc.router import Router

    return Router(flit_bytes=config.flit_bytes, depth=config.mesh.router_fifo_depth)


def _load(config: ChipConfig, cols: int) -> Any:
    from weft_hw.dma.load import LoadEngine

    return LoadEngine(config)


def _store(config: ChipConfig, cols: int) -> Any:
    from weft_hw.dma.store import StoreEngine

    return StoreEngine(config)


def _endpoint(config: ChipConfig, cols: int) -> Any:
    from weft_hw.endpoint.node import MemoryEndpoint

    return MemoryEndpoint(config)


def _control(config: ChipConfig, cols: int) -> Any:
    from weft_hw.control.node import ControlNode

    return ControlNode(config)


def _vector(config: ChipConfig, cols: int) -> Any:
    from weft_hw.vector.engine import VectorEngine

    return VectorEngine(config)


def _matmul(config: ChipConfig, cols: int) -> Any:
    from weft_hw.array.matmul import MatmulEngine

    return MatmulEngine(config)


def _one(config: ChipConfig, cols: int) -> int:
    return 1


BLOCKS = {
    block.name: block
    for block in (
        Block("pe", "int8 MAC", _pe, _one),
        Block("row", "int8 MAC", _row, lambda config, cols: cols),
        Block("pe_float", "MAC of bf16, fp8 or int8", _pe_float, _one),
        Block(
            "array", "int8 MAC", _array,
            lambda config, cols: config.tile.array_rows * config.tile.array_cols,
        ),
        Block("lane", "requantised element", _lane, _one),
        Block("router", "cycle with a flit through every port", _router, _one),
        Block("load", "cycle", _load, _one),
        Block("store", "cycle", _store, _one),
        Block("endpoint", "cycle", _endpoint, _one),
        Block("control", "cycle", _control, _one),
        Block("vector", "cycle", _vector, _one),
        Block("matmul", "cycle", _matmul, _one),
    )
}  # fmt: skip


def block_names() -> str:
    """For help texts and messages."""
    return ", ".join(BLOCKS)
