"""Stimulus of DMA engines, memory endpoint and control node, recorded at their ports while the
driver runs a layer of the digits network on the chip.

The chip runs in Amaranth's simulator, small and short: 8 images go through a layer. What is
recorded drives the same block alone, as RTL and as gates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from filelock import FileLock
from weft_hw.config import ChipConfig
from weft_sim.rtl.cache import build_root

from .chip_simulator import ChipInSimulator
from .operands import WARM_UP
from .stimuli import Case, Stimulus, bits_of

if TYPE_CHECKING:
    from weft_sim.target import Target

__all__ = ["RECORDED", "UNITS", "recordings"]

_IMAGES = 8
_RESET_CYCLES = 8
_COMMAND_BYTES = 64
#: Whose sources a recording depends on; of this package only these.
_SOURCES = ("weft_hw", "weft_sim", "weft")
_OWN_SOURCES = ("recording.py", "chip_simulator.py")

Bits = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Recording:
    """Of a block: bits (cycles, width) bool of its input ports; operations done in each cycle,
    int64; in which cycles it was at work, and in which it was not and nothing was at its ports,
    bool."""

    inputs: Bits
    operations: np.ndarray
    busy: np.ndarray
    quiet: np.ndarray


def _integers(bits: np.ndarray) -> np.ndarray:
    return bits @ (1 << np.arange(bits.shape[1], dtype=np.int64))


def _moves(bits: Bits, port: str) -> np.ndarray:
    """Cycles in which a beat of an AXI channel is taken."""
    return (bits[f"{port}valid"] & bits[f"{port}ready"])[:, 0]


def _bytes_of_engine(bits: Bits, config: ChipConfig) -> np.ndarray:
    return _integers(bits["bytes"])


def _payload_flits(bits: Bits, config: ChipConfig) -> np.ndarray:
    """Of memory's reads and writes: a beat at the memory's port is a flit's payload."""
    return _moves(bits, "memory__r").astype(np.int64) + _moves(bits, "memory__w")


def _commands(bits: Bits, config: ChipConfig) -> np.ndarray:
    """A command counts with the last of its beats."""
    beats = np.cumsum(_moves(bits, "host__r")) * config.flit_bytes // _COMMAND_BYTES
    return np.diff(beats, prepend=0)


@dataclass(frozen=True, slots=True)
class _Watched:
    """``component`` is ``module:class``; ``unit`` what it does, in the singular."""

    component: str
    unit: str
    operations: Callable[[Bits, ChipConfig], np.ndarray]

    @property
    def kind(self) -> type:
        module, name = self.component.split(":")
        return cast("type", getattr(import_module(f"weft_hw.{module}"), name))


_WATCHED = {
    "load": _Watched("dma.load:LoadEngine", "byte", _bytes_of_engine),
    "store": _Watched("dma.store:StoreEngine", "byte", _bytes_of_engine),
    "endpoint": _Watched("endpoint.node:MemoryEndpoint", "flit", _payload_flits),
    "control": _Watched("control.node:ControlNode", "command", _commands),
}
#: Block -> what its energy is per.
UNITS = {block: watched.unit for block, watched in _WATCHED.items()}


def _recording(block: str, bits: Bits, inputs: Bits, config: ChipConfig) -> Recording:
    offered = {name: flag[:, 0] for name, flag in bits.items() if name.endswith("valid")}
    quiet = ~np.any([*offered.values()], axis=0)
    if "busy" in bits:
        busy = bits["busy"][:, 0]
    else:
        # the host's registers are set up before any work is there
        work = [flag for name, flag in offered.items() if not name.startswith("registers")]
        busy = np.any(work, axis=0)
    return Recording(inputs, _WATCHED[block].operations(bits, config), busy, quiet & ~busy)


def _run_layer(config: ChipConfig) -> dict[str, Recording]:
    """A layer of the digits network, run through the driver."""
    from ..demo.digits import train_digits
    from ..device import Device

    network = train_digits()
    kinds = {block: watched.kind for block, watched in _WATCHED.items()}
    chip = ChipInSimulator(config, tuple(kinds.values()))
    with Device(cast("Target", chip)) as device:
        images = device.array(network.images[:_IMAGES])
        device.matmul(images, device.array(np.asarray(network.layers[0].weight)))
        device.synchronize()
    return {
        block: _recording(block, chip.bits(kind), chip.bits(kind, "In"), config)
        for block, kind in kinds.items()
    }


def _key(config: ChipConfig) -> str:
    digest = hashlib.sha256(repr(config).encode())
    for package in _SOURCES:
        for path in sorted(Path(str(files(package))).rglob("*.py")):
            if path.parent != Path(__file__).parent or path.name in _OWN_SOURCES:
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def recordings(config: ChipConfig) -> dict[str, Recording]:
    """Of every block that is watched, in one run of the chip; kept by the content of all sources
    beside the compiled chips, so that it is made once for any number of processes."""
    path = build_root().parent / "recordings" / f"{config.name}-{_key(config)}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        if not path.is_file():
            part = path.with_suffix(".part.npz")
            np.savez_compressed(part, **_flat(_run_layer(config)))
            part.rename(path)
    with np.load(path) as kept:
        return _unflat(dict(kept))


def _flat(found: Mapping[str, Recording]) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    for block, recording in found.items():
        for name in ("operations", "busy", "quiet"):
            arrays[f"{block}/{name}"] = getattr(recording, name)
        for port, bits in recording.inputs.items():
            arrays[f"{block}/inputs/{port}"] = bits
    return arrays


def _unflat(arrays: Mapping[str, np.ndarray]) -> dict[str, Recording]:
    found = {}
    for block in _WATCHED:
        prefix = f"{block}/inputs/"
        inputs = {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
        rest = (arrays[f"{block}/{name}"] for name in ("operations", "busy", "quiet"))
        found[block] = Recording(inputs, *rest)
    return found


def _longest_run(flags: np.ndarray) -> tuple[int, int]:
    """First and behind the last of the longest run of true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    starts, stops = edges[::2], edges[1::2]
    longest = int(np.argmax(stops - starts))
    return int(starts[longest]), int(stops[longest])


def _stimulus(block: str, config: ChipConfig, cols: int, case: Case, vectors: int) -> Stimulus:
    recording = recordings(config)[block]
    if case.source == "idle":
        start, stop = _longest_run(recording.quiet)
    else:
        at_work = np.flatnonzero(recording.busy)
        start, stop = int(at_work[0]), int(at_work[-1]) + 1
    stop = min(stop, start + vectors)
    done = int(recording.operations[start:stop].sum())
    # from reset on, so that the state is that of the run
    values = {
        port: np.concatenate([np.repeat(bits[:1], _RESET_CYCLES, axis=0), bits[:stop]])
        for port, bits in recording.inputs.items()
    }
    values["rst"] = bits_of((np.arange(_RESET_CYCLES + stop) < _RESET_CYCLES)[:, None], 1)
    warm_up = max(_RESET_CYCLES + start, WARM_UP)
    return Stimulus(values, warm_up, done / (stop - start) if done else 1.0)


_CASES = (Case("idle"), Case("digits"))

#: As ``stimuli.STIMULI``; operations are those of ``UNITS``.
RECORDED = {block: (_CASES, partial(_stimulus, block)) for block in _WATCHED}
