"""Waveforms of every net in every cycle, with gate delays, so that glitches are counted and not
guessed.

Cycles are packed in bits (64 to a word) and time within the cycle in slots, so one pass over the
gates simulates all cycles: an
output takes a value when its function has had that value for as long as the gate's shortest delay
(inertial delay, as in VHDL
and Verilog), and each input counts from its own delay on. State at the start of each cycle comes
from the gate-level simulation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .delays import Delays
from .expression import evaluate
from .netlist import Instance, Netlist

__all__ = ["Waves", "pack_cycles", "simulate_waves"]


@dataclass(slots=True)
class Waves:
    """``nets[n]`` (slots, words) uint64, bit c of word w is cycle 64 w + c; slot 0 is the value
    before the clock edge, the last the
    settled one. ``mask`` (words,) has a bit for each cycle counted."""

    nets: list[np.ndarray | None]
    mask: np.ndarray
    slot_ps: float

    def of(self, net: int) -> np.ndarray:
        """Waveform of a net."""
        wave = self.nets[net]
        if wave is None:
            raise ValueError(f"net {net} is driven by nothing")
        return wave

    def edges(self, net: int) -> tuple[int, int]:
        """Rises and falls in all cycles, glitches included."""
        wave = self.of(net)
        rises = ~wave[:-1] & wave[1:] & self.mask
        falls = wave[:-1] & ~wave[1:] & self.mask
        return _count(rises), _count(falls)

    def settled_edges(self, net: int) -> int:
        """Cycles in which the settled value differs from the one before: what a simulation without
        delays counts."""
        wave = self.of(net)
        return _count((wave[0] ^ wave[-1]) & self.mask)


def _count(words: np.ndarray) -> int:
    return int(np.bitwise_count(words).sum())


def pack_cycles(bits: np.ndarray) -> np.ndarray:
    """(cycles,) bool to (words,) uint64."""
    padded = np.zeros(-(-len(bits) // 64) * 64, dtype=np.uint8)
    padded[: len(bits)] = bits
    return np.packbits(padded, bitorder="little").view(np.uint64)


def _shifted(wave: np.ndarray, slots: int) -> np.ndarray:
    if slots <= 0:
        return wave
    slots = min(slots, len(wave) - 1)
    return np.concatenate([np.repeat(wave[:1], slots, axis=0), wave[:-slots]])


def _inertial(wave: np.ndarray, window: int) -> np.ndarray:
    """A change counts once it has lasted ``window`` slots; it appears then."""
    ones, zeros, width = wave, ~wave, 1
    while width < window:
        step = min(width, window - width)
        ones, zeros = ones & _shifted(ones, step), zeros & _shifted(zeros, step)
        width += step
    # out[t] = ones[t] | (out[t - 1] & ~zeros[t]), for all slots at once: a prefix scan
    out, keep, reach = ones.copy(), ~zeros, 1
    out[0], keep[0] = wave[0], 0
    while reach < len(wave):
        out[reach:] |= keep[reach:] & out[:-reach]
        keep[reach:] &= keep[:-reach]
        reach *= 2
    out[-1] = wave[-1]
    return out


def simulate_waves(
    netlist: Netlist, delays: Delays, before: np.ndarray, after: np.ndarray, slots: int = 96
) -> Waves:
    """Simulates all cycles. ``before`` and ``after`` are bool (cycles, nets): values of inputs and
    state before and after
    the clock edge; other nets are not read.

    Gate delays are rounded to slots, at least one.
    """
    cycles = len(after)
    mask = pack_cycles(np.ones(cycles, dtype=bool))
    latest = delays.latest_ps
    # glitches end by the latest arrival; a slot more for each rounding on the way
    slot_ps = max(latest * 1.25 / slots, 1e-3)
    waves: list[np.ndarray | None] = [None] * netlist.net_count
    low = np.zeros((slots, len(mask)), dtype=np.uint64)
    waves[:2] = [low, ~low]
    sources = [bit for bits in netlist.inputs.values() for bit in bits] + netlist.state_nets
    for net in sources:
        start = pack_cycles(before[:, net])
        end = pack_cycles(after[:, net])
        launch = max(1, round(delays.arrival_ps[net] / slot_ps))
        wave = np.repeat(end[None], slots, axis=0)
        wave[: min(launch, slots - 1)] = start
        waves[net] = wave
    result = Waves(waves, mask, slot_ps)
    for gate in netlist.ordered:
        _evaluate(gate, delays, result, slot_ps)
    return result


def _evaluate(gate: Instance, delays: Delays, waves: Waves, slot_ps: float) -> None:
    for pin in gate.cell.outputs:
        net = gate.nets.get(pin.name)
        if net is None or pin.function is None:
            continue
        needed = {
            p.name: max(1, round(delays.arc_ps.get((gate.name, p.name, pin.name), 0.0) / slot_ps))
            for p in gate.cell.inputs
        }
        window = min(needed.values(), default=1)
        values = {
            name: _shifted(waves.of(gate.nets[name]), slots - window)
            for name, slots in needed.items()
        }
        wave = evaluate(pin.function, values, waves.of(0))
        settled = evaluate(
            pin.function,
            {name: waves.of(gate.nets[name])[-1:] for name in needed},
            waves.of(0)[-1:],
        )
        delayed = _inertial(_shifted(wave, 1), window)
        delayed[-1:] = settled
        waves.nets[net] = delayed
