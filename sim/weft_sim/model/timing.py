"""Every timing constant of the model, in cycles, with the block of the hardware it belongs to."""

from dataclasses import dataclass

__all__ = ["TIMING", "Timing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Cycles from one event to the next inside a block; see each field for where."""

    register_write_apply: int = 3
    """control/registers.py: AXI4-Lite write handshake to the register's new value."""
    register_write_total: int = 5
    """control/registers.py: to the host's write response."""
    register_read_sample: int = 3
    """control/registers.py: AXI4-Lite read handshake to the value sampled."""
    register_read_total: int = 5
    """control/registers.py: to the host's read data."""
    fetch_issue: int = 2
    """control/fetch.py: doorbell (or a free buffer) to the AXI read address."""
    fetch_buffer: int = 4
    """control/fetch.py: commands requested or held before dispatch."""
    fetch_deliver: int = 2
    """control/fetch.py: last read beat to the command at the dispatcher."""
    dispatch_latency: int = 2
    """control/dispatch.py: a command with credit to its first flit."""
    completion_latency: int = 2
    """control/completion.py: completion packet received to credit and counters."""
    record_issue: int = 3
    """control/fence.py: last completion to the record's write address."""
    ingress_latency: int = 2
    """tile/ingress.py: last command flit to the front end's queue."""
    frontend_latency: int = 1
    """tile/frontend.py: queue entry to hand-over with semaphores ready."""
    egress_latency: int = 2
    """tile/completions.py: engine done to the completion's first flit."""
    hop_cycles: int = 2
    """noc/router.py: one router and its link."""
    nop_cycles: int = 1
    """tile/frontend.py: hand-over to done of a NOP."""
    check_cycles: int = 2
    """tile engines: hand-over to done of a command whose fields fail."""
    abort_cycles: int = 2
    """tile engines: nothing under way to done."""
    matmul_start: int = 4
    """array/engine.py: hand-over to the first weight row read."""
    matmul_swap: int = 2
    """array/engine.py: last weight row read to weights usable."""
    matmul_drain: int = 8
    """array/engine.py: last operand row read to done, beside one cycle for each row and column."""
    vector_start: int = 4
    """vector/engine.py: hand-over to the first read."""
    vector_drain: int = 12
    """vector/engine.py: last accumulator row read to done."""
    dma_start: int = 3
    """dma/load.py, dma/store.py: hand-over to the first request."""
    dma_done: int = 3
    """dma/load.py, dma/store.py: last response to done."""
    endpoint_request: int = 3
    """endpoint/read.py, endpoint/write.py: last header flit to the AXI address."""
    endpoint_response: int = 3
    """endpoint/read.py: AXI beat to the response's first flit."""
    probe_cycles: int = 4
    """tile/status.py: read request to the answer's first flit."""


TIMING = Timing()
