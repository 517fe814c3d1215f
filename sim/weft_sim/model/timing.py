"""Every timing constant of the model, in cycles, with the block of the hardware it belongs to."""

from dataclasses import dataclass

__all__ = ["TIMING", "Timing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Cycles from one event to the next inside a block; see each field for where."""

    # --- control node
    register_write_apply: int = 1
    """control/bank.py: address and data accepted to the register's new value."""
    register_cycles: int = 2
    """control/bank.py: a register access, address to response."""
    fetch_check: int = 2
    """control/fetch.py: planning to a failure."""
    fetch_room: int = 3
    """control/fetch.py: planning to the burst's issue if there is room."""
    fetch_deliver: int = 1
    """control/fetch.py: last beat of a command to the dispatcher."""
    dispatch_header: int = 2
    """control/dispatch.py, node.py: decision to the header's first flit."""
    completion_sink: int = 1
    """control/completion.py: last header flit of a completion to credits and counts."""
    interrupt_latency: int = 2
    """control/node.py: an event to the interrupt line."""
    record_confirm: int = 1
    """control/record.py: AXI write response to the sequence register."""
    probe_header: int = 2
    """control/probe.py, node.py: PROBE written to the request's first flit."""

    # --- network
    hop_cycles: int = 2
    """noc/router.py: one router and its link."""

    # --- tile
    assemble_last: int = 2
    """tile/frontend.py: last word of a command to the wait for its semaphores."""
    completion_packet: int = 1
    """tile/completions.py: an end taken to its packet's first flit."""

    # --- matmul engine
    matmul_queue: int = 1
    """array/matmul.py: hand-over to the agents' command."""
    matmul_weights_ready: int = 2
    """array/weight_loader.py: beside R cycles, first weight row asked for to ``ready_soon``."""
    matmul_load_latency: int = 3
    """array/weight_loader.py: a weight row asked for to its shift."""
    scale_first: int = 1
    """array/scale_reader.py: a command taken to its first scales being asked for."""
    scale_ready: int = 3
    """array/scale_reader.py: scales granted to their first use."""
    matmul_refuse: int = 2
    """array/matmul.py: hand-over of an empty command to done."""
    matmul_fault: int = 7
    """array/matmul.py: the end of a command of one row to the answer of a fault in its place."""
    matmul_quit: int = 8
    """array/matmul.py: beside the way from an activation to its sum's write, a fault or abort to
    its answer."""

    # --- vector engine
    vector_checked: int = 7
    """requantiser/intake.py: hand-over to the checked task."""
    vector_illegal: int = 2
    """requantiser/intake.py: hand-over to the task of an illegal command."""
    vector_fetch: int = 3
    """requantiser/parameters.py: the cycle after a block's last parameter row is asked for to its
    first accumulator read."""
    vector_scale_copy: int = 3
    """requantiser/lanes.py: a block's first accumulator read to the next scale being asked for."""
    vector_residual: int = 2
    """requantiser/residuals.py: a residual asked for to its accumulator read."""
    vector_residual_use: int = 11
    """requantiser/lanes.py: an accumulator read to its residual leaving the queue."""
    vector_write: int = 15
    """requantiser/lanes.py, writer.py: an accumulator read to its INT8 row written."""
    vector_write_int32: int = 5
    """requantiser/lanes.py, writer.py: an accumulator read to its first INT32 row written."""
    vector_refuse: int = 3
    """requantiser/drain.py, writer.py: task taken to the end of a command with an error."""

    processor_first: int = 2
    """vector/processor: hand-over of a RUN to its first instruction being there."""
    processor_lookup: int = 7
    """vector/processor/table.py: beside C cycles, a row that is looked up to the next."""
    processor_write: int = 8
    """vector/processor/writer.py: a row issued to its first write."""
    processor_refuse: int = 2
    """vector/processor: hand-over of a command that the checks refuse to done."""
    processor_program: int = 2
    """vector/processor/loader.py: hand-over of a PROGRAM to the first row being asked for."""
    processor_programmed: int = 5
    """vector/processor/loader.py: beside the number of the last instruction in its row, that row
    asked for to done."""
    processor_program_quit: int = 4
    """vector/processor/loader.py: beside the instructions of a row, the last row granted to the
    answer of a PROGRAM that is aborted."""
    processor_quit: int = 8
    """vector/processor: abort to the answer of what runs."""

    # --- DMA engines
    dma_decode: int = 2
    """dma/decode.py: command taken to its walk."""
    dma_free: int = 1
    """dma/decode.py: a walk taken to the next command being taken."""
    transpose_first: int = 9
    """dma/split.py: a decoded walk to the first access of its first strip being made."""
    transpose_columns: int = 2
    """dma/transpose.py: the last flit of a strip to its first column."""
    gather_first: int = 2
    """dma/gather.py: a walk taken to its first indices being asked for."""
    gather_index: int = 3
    """dma/gather.py: a row of indices granted to the first of them being taken."""
    gather_product: int = 4
    """dma/gather.py: an index taken to the end of its multiplication."""
    store_empty_header: int = 1
    """dma/store.py: an access without rows taken to its header."""
    tile_walk: int = 3
    """dma/tile_walk.py: command taken to its first packet being made."""
    load_settle: int = 2
    """dma/load.py, ring.py: last data flit of a response to its entry leaving the ring."""
    store_settle: int = 1
    """dma/store.py, ring.py: acknowledgement to its entry leaving the ring."""

    # --- memory endpoint
    endpoint_check: int = 2
    """endpoint/window.py: last header flit of a request taken to its path being offered it."""
    endpoint_fetch: int = 1
    """endpoint/read.py: a read taken by its path to its place in the buffer being looked for."""
    endpoint_burst: int = 1
    """axi/bursts.py: a place found, or a write taken, to the AXI address."""
    endpoint_write_beat: int = 2
    """endpoint/write.py: a write taken by its path to its first beat at the AXI port."""
    endpoint_drop: int = 2
    """endpoint/write.py: beside its flits, a denied write taken to its data being gone."""
    endpoint_read_due: int = 1
    """endpoint/read.py: last beat of a read to its answer being due."""
    endpoint_read_answer: int = 1
    """endpoint/read.py: due to waiting for the sender's register."""
    endpoint_write_answer: int = 1
    """endpoint/write.py: AXI write response to its answer waiting for the sender's register."""


TIMING = Timing()
