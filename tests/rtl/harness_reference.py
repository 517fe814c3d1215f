"""A second reading of ``weft_sim/dram.py`` in plain Python, and of waveforms, for the test of
the compiled one.
"""

from collections import deque

__all__ = ["ReferencePort", "read_vcd"]


def read_vcd(path):
    """The top-level signals of a waveform written by the harness.

    Returns a list with one dict (name -> integer) for each cycle, reset included: values with
    the clock low, when combinational logic has settled.
    """
    names, values, cycles, depth, started = {}, {}, [], 0, False
    with open(path) as lines:
        for line in lines:
            words = line.split()
            if not words:
                continue
            if words[0] == "$scope":
                depth += 1
            elif words[0] == "$upscope":
                depth -= 1
            elif words[0] == "$var" and depth == 1:
                names.setdefault(words[3], []).append(words[4])  # equal signals share a code
            elif line.startswith("#"):
                # a snapshot is complete when the next time stamp comes
                if started and int(line[1:]) % 2 == 1:
                    cycles.append(dict(values))
                started = True
            elif line[0] == "$" or not started:
                continue
            else:
                bits, code = words if line[0] == "b" else (words[0][0], words[0][1:])
                values |= dict.fromkeys(names.get(code, ()), int(bits.lstrip("b") or "0", 2))
    return cycles


class ReferencePort:
    """One port. ``drive`` gives the pins of a cycle, ``sample`` takes the chip's pins of that
    cycle.
    """

    def __init__(self, dram, memory, port, width):
        self.dram, self.memory, self.width = dram, memory, width
        self.state = (dram.stall_seed ^ (0x9E3779B9 * (port + 1) % 2**32)) or 1
        self.reads, self.writes, self.responses = deque(), deque(), deque()
        self.r, self.w, self.b = None, None, None
        self.free, self.last_was_write = 0, True

    def drive(self, cycle):
        stalled = False
        if self.dram.stall_probability:
            self.state ^= self.state << 13 & 0xFFFFFFFF
            self.state ^= self.state >> 17
            self.state ^= self.state << 5 & 0xFFFFFFFF
            stalled = self.state < self.dram.stall_probability * 2**32
        if not stalled:
            self._cross(cycle)
            if self.b is None and self.responses and self.responses[0][0] <= cycle:
                self.b = self.responses.popleft()[1]
        pins = {"arready": not stalled, "awready": not stalled}
        pins |= {"wready": not stalled and self.w is None}
        pins |= {"rvalid": self.r is not None, "bvalid": self.b is not None}
        if self.r is not None:
            pins |= dict(zip(("rdata", "rlast", "rresp"), self.r, strict=True))
        if self.b is not None:
            pins["bresp"] = self.b
        return pins

    def sample(self, cycle, pins):
        if pins["arvalid"] and pins["arready"]:
            self.reads += self._beats(
                pins["araddr"], pins["arlen"], cycle + self.dram.latency_cycles
            )
        if pins["awvalid"] and pins["awready"]:
            self.writes += self._beats(pins["awaddr"], pins["awlen"], 0)
        if pins["wvalid"] and pins["wready"]:
            self.w = (pins["wdata"], pins["wstrb"])
        if self.r is not None and pins["rready"]:
            self.r = None
        if self.b is not None and pins["bready"]:
            self.b = None

    def _beats(self, address, length, ready):
        """(address, cycle from which it may cross, last, error) of each beat."""
        start = address // self.width * self.width
        stop = start + (length + 1) * self.width
        error = stop > len(self.memory) or (
            start < self.dram.error_limit and stop > self.dram.error_base
        )
        return [
            (at, ready, at + self.width == stop, error) for at in range(start, stop, self.width)
        ]

    def _cross(self, cycle):
        read = self.r is None and self.reads and self.reads[0][1] <= cycle
        write = self.w is not None and self.writes
        if cycle < self.free or not (read or write):
            return
        self.last_was_write = not (read and (self.last_was_write or not write))
        self.free = cycle + self.dram.beat_cycles(self.width)
        if self.last_was_write:
            at, _, last, error = self.writes.popleft()
            data, strobe = self.w
            for lane in range(self.width if not error else 0):
                if strobe >> lane & 1:
                    self.memory[at + lane] = data >> 8 * lane & 0xFF
            self.w = None
            if last:
                self.responses.append((cycle + self.dram.latency_cycles, 2 * error))
        else:
            at, _, last, error = self.reads.popleft()
            data = 0 if error else int.from_bytes(self.memory[at : at + self.width], "little")
            self.r = (data, int(last), 2 * error)
