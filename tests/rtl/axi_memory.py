"""Memories behind AXI4 ports, for benches: ``model_memory`` is cocotbext-axi's, an AXI nobody here
wrote, with stalls and faults; ``PipelinedMemory`` has a latency and no bubbles, for measuring.
"""

from collections import deque
from collections.abc import Iterator

from cocotbext.axi import AxiBus, AxiSlave
from weft_sim.bench.pauses import random_pauses

__all__ = ["FaultyBytes", "PipelinedMemory", "model_memory"]


class FaultyBytes:
    """A memory for ``AxiSlave``. Accesses that touch ``errors`` (ranges) fail."""

    def __init__(self, size: int):
        self.data = bytearray(size)
        self.errors: list[range] = []
        self.written: list[int] = []
        self.accesses = 0

    def _check(self, address: int, length: int) -> None:
        self.accesses += 1
        if address + length > len(self.data):
            raise ValueError("beyond the memory")
        for fault in self.errors:
            if address < fault.stop and fault.start < address + length:
                raise ValueError("fault asked for")

    async def read(self, address: int, length: int) -> bytes:
        self._check(address, length)
        return bytes(self.data[address : address + length])

    async def write(self, address: int, data: bytes) -> None:
        self._check(address, len(data))
        self.written.extend(range(address, address + len(data)))
        self.data[address : address + len(data)] = data


def model_memory(bench, prefix: str, size: int, *, stall: float = 0.0) -> FaultyBytes:
    """cocotbext-axi's subordinate on the port ``prefix``, each channel pausing with ``stall``."""
    memory = FaultyBytes(size)
    slave = AxiSlave(
        AxiBus.from_prefix(bench.dut, f"{prefix}_"), bench.dut.clk, bench.dut.rst, memory
    )
    for half in (slave.write_if, slave.read_if):
        half.log.setLevel("ERROR")
    if stall:
        for channel in (
            slave.write_if.aw_channel,
            slave.write_if.w_channel,
            slave.write_if.b_channel,
            slave.read_if.ar_channel,
            slave.read_if.r_channel,
        ):
            channel.set_pause_generator(random_pauses(bench.rng, stall))
    return memory


class PipelinedMemory:
    """Read bursts begin ``latency`` cycles after their address and flow at one beat a cycle; write
    responses come ``latency`` cycles after the last beat. Addresses are always taken at once.
    """

    def __init__(self, bench, prefix: str, size: int, *, latency: int, dead: bool = False):
        self.bench = bench
        self.data = bytearray(size)
        self.latency = latency
        self.dead = dead
        """Answers nothing as long as this is set."""
        self.read_at: list[int] = []
        self.written_at: list[int] = []
        self._bytes = bench.ports[f"{prefix}__wstrb"]["width"]
        names = (
            "awaddr awlen awvalid awready wdata wstrb wlast wvalid wready bvalid bready "
            "araddr arlen arvalid arready rdata rlast rvalid rready"
        )
        self._port = {name: bench.port(f"{prefix}__{name}") for name in names.split()}
        bench.add(self)

    def _get(self, name: str) -> int:
        return int(self._port[name].value)

    def reset(self) -> None:
        self._beats = self._no_beats()
        self._reads: deque[tuple[int, int, int]] = deque()
        self._writes: deque[list[int]] = deque()
        self._confirms: deque[int] = deque()
        self._reading = self._confirming = False
        for name in ("arready", "awready", "wready", "rvalid", "bvalid"):
            self._port[name].value = 0

    @staticmethod
    def _no_beats() -> Iterator[tuple[int, bool]]:
        yield from ()

    def step(self) -> None:
        now = self.bench.cycle
        self._take(now)
        self._answer(now)
        for name in ("arready", "awready", "wready"):
            self._port[name].value = int(not self.dead)

    def _take(self, now: int) -> None:
        if self._get("arvalid") and self._get("arready"):
            self._reads.append((now, self._get("araddr"), self._get("arlen")))
        if self._get("awvalid") and self._get("awready"):
            self._writes.append([self._get("awaddr"), self._get("awlen")])
        if self._get("wvalid") and self._get("wready"):
            address, left = self._writes[0]
            data = self._get("wdata").to_bytes(self._bytes, "little")
            strobe = self._get("wstrb")
            for lane in range(self._bytes):
                if strobe >> lane & 1:
                    self.data[address + lane] = data[lane]
            assert self._get("wlast") == (left == 0), "wlast must end the burst"
            self.written_at.append(now)
            self._writes[0] = [address + self._bytes, left - 1]
            if left == 0:
                self._writes.popleft()
                self._confirms.append(now)

    def _answer(self, now: int) -> None:
        if self._reading and self._get("rready"):
            self.read_at.append(now)
            self._reading = False
        if not self._reading and not self.dead:
            beat = next(self._beats, None)
            if beat is None and self._reads and self._reads[0][0] + self.latency - 1 <= now:
                self._beats = self._burst(*self._reads.popleft()[1:])
                beat = next(self._beats)
            if beat is not None:
                self._port["rdata"].value, self._port["rlast"].value = beat
                self._reading = True
        self._port["rvalid"].value = int(self._reading)
        if self._confirming and self._get("bready"):
            self._confirming = False
        if not self._confirming and not self.dead and self._confirms:
            if self._confirms[0] + self.latency - 1 <= now:
                self._confirms.popleft()
                self._confirming = True
        self._port["bvalid"].value = int(self._confirming)

    def _burst(self, address: int, length: int) -> Iterator[tuple[int, int]]:
        for beat in range(length + 1):
            start = address + beat * self._bytes
            data = self.data[start : start + self._bytes]
            yield int.from_bytes(data, "little"), int(beat == length)

    def describe(self) -> str:
        return f"memory: {len(self._reads)} reads and {len(self._confirms)} responses waiting"
