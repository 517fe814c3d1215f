"""Named configurations. ``preset("base")`` returns one; ``PRESETS`` lists them."""

from .config import ChipConfig, HostConfig, MeshConfig, TileConfig

__all__ = ["PRESETS", "preset"]

#: Every operand format.
_ALL = ("int8", "int4", "bf16", "fp8e4m3", "fp8e5m2", "mxfp8")

PRESETS = {
    config.name: config
    for config in (
        # unit tests and the smallest FPGA
        ChipConfig(name="nano", tile=TileConfig(
            array_rows=4, array_cols=4, scratchpad_kib=16, accumulator_kib=4,
            load_requests=16, store_requests=8),
            mesh=MeshConfig(max_packet_bytes=256)),
        # every format, as small as floating point goes: tests of the complete tile
        ChipConfig(name="micro", tile=TileConfig(
            array_rows=8, array_cols=8,
            formats=_ALL, transpose=True, scratchpad_kib=64, accumulator_kib=16,
            load_requests=16, store_requests=8)),
        # an ECP5-85F's block RAM, on-chip memory (a few cycles away) and UART host; products only
        ChipConfig(name="ecp5", tile=TileConfig(
            array_rows=8, array_cols=8, scratchpad_kib=64, accumulator_kib=16,
            load_requests=16, store_requests=8, tensor_loads=False)),
        # the reference tile
        ChipConfig(name="base", tile=TileConfig(
            array_rows=16, array_cols=16, formats=_ALL, transpose=True,
            scratchpad_kib=256, accumulator_kib=64),
            # headers take 1 flit in 33
            mesh=MeshConfig(max_packet_bytes=1024)),
        # the same with int8 alone: simulates and builds several times faster
        ChipConfig(name="base8", tile=TileConfig(
            array_rows=16, array_cols=16, scratchpad_kib=256, accumulator_kib=64)),
        # mesh verification
        ChipConfig(name="quad", tile=TileConfig(
            array_rows=8, array_cols=8, formats=_ALL, transpose=True,
            scratchpad_kib=64, accumulator_kib=16),
            mesh=MeshConfig(cols=2, rows=2, memory_endpoints=2, router_fifo_depth=16)),
        # scaling on RTL
        ChipConfig(name="mesh16", tile=TileConfig(
            array_rows=8, array_cols=8, formats=_ALL, transpose=True,
            scratchpad_kib=64, accumulator_kib=16),
            mesh=MeshConfig(cols=4, rows=4, memory_endpoints=4, router_fifo_depth=16),
            host=HostConfig(max_in_flight=256)),
        # the ASIC that the fleet study prices; model and elaboration only. Tall, because memory
        # comes in by rows.
        ChipConfig(name="fleet", tile=TileConfig(
            array_rows=128, array_cols=128, scratchpad_kib=4096, accumulator_kib=1024),
            mesh=MeshConfig(cols=4, rows=16, memory_endpoints=16, max_packet_bytes=2048,
                            router_fifo_depth=16),
            host=HostConfig(max_in_flight=1024)),
    )
}


def preset(name: str) -> ChipConfig:
    """The configuration of that name.

    Raises
    ------
    ValueError
        if there is none, listing those there are.
    """
    if name not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}, not {name!r}")
    return PRESETS[name]
