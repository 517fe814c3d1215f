"""Blocks that can be characterised: a name, how to build it, what one operation of it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from weft_hw.config import ChipConfig

__all__ = ["BLOCKS", "Block"]

#: Memories of so many bits or more are macros, in blocks that say so: an SRAM macro or a register
#: file is smaller than flip-flops from about there on.
_MACRO_BITS = 512


@dataclass(frozen=True, slots=True)
class Block:
    """``build(config, cols)`` gives the component. ``operation`` names what its energies are per.
    With ``cut_bits``, memories of at least so many bits are left out of the mapping, as macros."""

    name: str
    operation: str
    build: Callable[[ChipConfig, int], Any]
    cut_bits: int = 0


def _of(
    path: str, arguments: Callable[[ChipConfig, int], dict[str, Any]]
) -> Callable[[ChipConfig, int], Any]:
    """Builds the class at ``module:name``; imported when it is asked for, as most are not."""
    module, name = path.split(":")

    def build(config: ChipConfig, cols: int) -> Any:
        return getattr(import_module(f"weft_hw.{module}"), name)(**arguments(config, cols))

    return build


def _whole(path: str) -> Callable[[ChipConfig, int], Any]:
    return _of(path, lambda config, cols: {"config": config})


def _sum_bits(config: ChipConfig, cols: int) -> dict[str, Any]:
    return {"sum_bits": config.tile.column_sum_bits}


def _cols(config: ChipConfig, cols: int) -> dict[str, Any]:
    return {"cols": cols, "sum_bits": config.tile.column_sum_bits}


def _tile(config: ChipConfig, cols: int) -> dict[str, Any]:
    return {"tile": config.tile}


def _ports(config: ChipConfig, cols: int) -> dict[str, Any]:
    return {"flit_bytes": config.flit_bytes, "depth": config.mesh.router_fifo_depth}


def _none(config: ChipConfig, cols: int) -> dict[str, Any]:
    return {}


def _cut(name: str, path: str, operation: str = "cycle") -> Block:
    return Block(name, operation, _whole(path), _MACRO_BITS)


BLOCKS = {
    block.name: block
    for block in (
        Block("pe", "int8 MAC", _of("array.pe:ProcessingElement", _sum_bits)),
        Block("row", "int8 MAC", _of("array.row:ArrayRow", _cols)),
        Block("pe_float", "MAC of any format", _of("array.pe_float:FloatProcessingElement", _none)),
        Block("array", "int8 MAC", _of("array.systolic:SystolicArray", _tile)),
        Block(
            "adder", "sum of fp32 or int32",
            _of("formats.fp32_add:Fp32Add", lambda config, cols: {"integer": True, "gated": False}),
        ),
        Block("lane", "requantised element", _of("vector.requantiser.lane:VectorLane", _none)),
        Block("alu", "operation of a processor lane", _whole("vector.processor.alu:Alu")),
        Block("router", "flit and hop", _of("noc.router:Router", _ports)),
        Block("load", "byte", _whole("dma.load:LoadEngine")),
        Block("store", "byte", _whole("dma.store:StoreEngine")),
        _cut("streamer", "array.streamer:ActivationStreamer"),
        _cut("weights", "array.weight_loader:WeightLoader"),
        _cut("frontend", "tile.frontend:FrontEnd"),
        _cut("ingress", "tile.ingress:Ingress"),
        _cut("status", "tile.status:TileStatus"),
        _cut("completions", "tile.completions:Completions"),
        _cut("vector", "vector.engine:VectorEngine"),
        _cut("matmul", "array.matmul:MatmulEngine"),
        _cut("endpoint", "endpoint.node:MemoryEndpoint", "payload flit"),
        _cut("control", "control.node:ControlNode", "command"),
    )
}  # fmt: skip
