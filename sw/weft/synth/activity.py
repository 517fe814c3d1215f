"""From a mapped netlist and stimulus to energy: gate-level simulation checked against RTL, timed
waveforms, energy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .delays import Delays, compute_delays, net_loads_ff, typical_slew_ps
from .energy import EnergyReport, block_energy
from .errors import FlowError
from .gate_sim import Port, Simulation, build, pack_stimulus
from .gate_verilog import gate_level_verilog, is_memory_port, memory_reads, with_memories
from .internal_energy import CellEnergy, cell_energies
from .library import CellLibrary
from .netlist import Netlist
from .power_up import POWER_UPS, listened, without_initial_values
from .waveforms import simulate_waves

__all__ = ["GateBench"]


@dataclass(slots=True)
class GateBench:
    """A block as RTL and as gates, ready to run the same stimulus."""

    netlist: Netlist
    library: CellLibrary
    rtl_verilog: str
    folder: Path
    """Where stimulus and responses pass through."""
    builds: Path
    """Where compiled simulations are kept, by content."""
    memories: Path | None = None
    """Verilog of the memories that were left out of the netlist."""
    _delays: Delays | None = field(default=None, init=False)
    _cells: dict[str, CellEnergy] | None = field(default=None, init=False)

    def _ports(self) -> tuple[list[Port], list[Port]]:
        """Inputs and outputs of the block as it is in RTL, but the clock."""
        inputs, outputs = (
            [
                Port(n, len(bits))
                for n, bits in group.items()
                if n != "clk" and not is_memory_port(n)
            ]
            for group in (self.netlist.inputs, self.netlist.outputs)
        )
        return inputs, outputs

    def _gates(self, inputs: list[Port], outputs: list[Port]) -> Simulation:
        """The gates with their memories; state and what memories read are outputs too."""
        top = self.netlist.top
        text, state_bits = gate_level_verilog(self.netlist)
        outputs = [*outputs, Port("weft_state", state_bits)]
        if self.memories is not None:
            whole, memory_bits = with_memories(self.netlist, state_bits)
            text, top = f"{text}\n{self.memories.read_text()}\n{whole}", "weft_whole"
            outputs.append(Port("weft_memory", memory_bits))
        return build(text, top, inputs, outputs, self.builds)

    def delays(self) -> Delays:
        """Of every gate, pre-layout."""
        if self._delays is None:
            loads = net_loads_ff(self.netlist)
            self._delays = compute_delays(self.netlist, typical_slew_ps(self.library), loads)
        return self._delays

    def simulate(
        self, stimulus: Mapping[str, np.ndarray], warm_up: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Runs RTL and gates. Returns bool (cycles, nets) of sources (inputs and state) before and
        after each clock edge, for the cycles
        after ``warm_up``; other columns are false.

        Raises
        ------
        FlowError
            if an output differs between RTL and gates in a cycle after the warm-up, but for bits
            that RTL leaves open where nobody looks at them (``power_up``).
        """
        inputs, outputs = self._ports()
        packed = pack_stimulus(inputs, dict(stimulus))
        top = self.netlist.top
        rtl = build(self.rtl_verilog, top, inputs, outputs, self.builds)
        want = rtl.run(packed, self.folder)
        found = self._gates(inputs, outputs).run(packed, self.folder)
        got, state = np.split(found, [want.shape[1]], axis=1)
        wrong = want != got
        wrong[:warm_up] = False
        if wrong.any():
            heard = listened([(port.name, port.bits) for port in outputs], want)
            wrong &= heard | self._defined(packed, want, inputs, outputs)
        if wrong.any():
            cycle, bit = np.argwhere(wrong)[0]
            names = [f"{p.name}[{i}]" for p in outputs for i in range(p.bits)]
            raise FlowError(
                f"the mapped {top} differs from its RTL: output {names[bit]} in cycle {cycle} "
                f"is {int(got[cycle, bit])}, not {int(want[cycle, bit])} "
                f"({wrong.sum()} differences in {len(want) - warm_up} cycles)"
            )
        return self._sources(packed, state, inputs, warm_up)

    def _defined(
        self, packed: np.ndarray, want: np.ndarray, inputs: list[Port], outputs: list[Port]
    ) -> np.ndarray:
        """Where RTL gives the same bit however it powers up, bool (cycles, bits)."""
        text = without_initial_values(self.rtl_verilog)
        rtl = build(text, self.netlist.top, inputs, outputs, self.builds)
        runs = [rtl.run(packed, self.folder, power_up) == want for power_up in POWER_UPS]
        return np.asarray(np.all(runs, axis=0))

    def _sources(
        self, packed: np.ndarray, state: np.ndarray, inputs: list[Port], warm_up: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """After edge t: the state it made (in flip-flops and at the memories' outputs), and the
        inputs of row t + 1, which arrive with it."""
        values = np.zeros((len(packed), self.netlist.net_count), dtype=bool)
        columns = [net for port in inputs for net in self.netlist.inputs[port.name]]
        values[:-1, columns] = packed[1:]
        values[-1, columns] = packed[-1]
        read = [n for name in memory_reads(self.netlist) for n in self.netlist.inputs[name]]
        values[:, [*self.netlist.state_nets, *read]] = state
        return values[warm_up - 1 : -2], values[warm_up:-1]

    def energy(
        self, stimulus: Mapping[str, np.ndarray], warm_up: int, period_ps: float
    ) -> EnergyReport:
        """Energy per cycle under the stimulus, after the warm-up."""
        before, after = self.simulate(stimulus, warm_up)
        delays = self.delays()
        if self._cells is None:
            self._cells = cell_energies(self.netlist, delays)
        waves = simulate_waves(self.netlist, delays, before, after)
        return block_energy(
            self.netlist, delays, waves, self.library.voltage_v, period_ps, len(after), self._cells
        )
