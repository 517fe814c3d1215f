"""The register map as data: offsets, names, capability words."""

import pytest
from weft_hw.config import FORMATS, ChipConfig, HostConfig, MeshConfig, TileConfig
from weft_hw.control.registers import (
    ADDRESS_BITS,
    IDENTITY,
    PROBE_WORDS,
    Access,
    QueueState,
    capabilities,
    constants,
    register_map,
)
from weft_hw.presets import PRESETS

LARGEST = ChipConfig(
    name="largest",
    tile=TileConfig(
        array_rows=128,
        array_cols=128,
        scratchpad_kib=65536,
        scratchpad_banks=16,
        accumulator_kib=65536,
        accumulator_banks=16,
        command_queue_depth=64,
        load_requests=64,
        store_requests=64,
    ),
    mesh=MeshConfig(
        cols=16, rows=16, memory_endpoints=16, router_fifo_depth=64, max_packet_bytes=4096
    ),
    host=HostConfig(address_bits=64, windows=16, max_in_flight=1024, max_ring_entries=1 << 20),
)
CONFIGS = [*PRESETS.values(), LARGEST]


def fields(word, *widths):
    """Splits a word into fields from the least significant bit up."""
    values = []
    for width in widths:
        values.append(word & ((1 << width) - 1))
        word >>= width
    assert word == 0
    return tuple(values)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_every_register_has_its_own_aligned_offset_and_name(config):
    registers = register_map(config)
    offsets = [register.offset for register in registers]
    assert offsets == sorted(set(offsets))
    assert all(offset % 4 == 0 and offset < 1 << ADDRESS_BITS for offset in offsets)
    assert len({register.name for register in registers}) == len(registers)
    assert all(0 <= register.reset < 1 << 32 for register in registers)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_capability_words_hold_the_configuration(config):
    words = capabilities(config)
    tile, mesh, host = config.tile, config.mesh, config.host
    assert fields(words["CAP_MESH"], 8, 8, 8, 8) == (
        mesh.cols,
        mesh.rows,
        mesh.memory_endpoints,
        host.windows,
    )
    assert fields(words["CAP_ARRAY"], 16, 16) == (tile.array_rows, tile.array_cols)
    assert fields(words["CAP_SCRATCHPAD"], 24, 8) == (tile.scratchpad_kib, tile.scratchpad_banks)
    assert fields(words["CAP_ACCUMULATOR"], 24, 8) == (tile.accumulator_kib, tile.accumulator_banks)
    assert fields(words["CAP_QUEUES"], 8, 8, 8, 8) == (
        tile.command_queue_depth,
        tile.load_requests,
        tile.store_requests,
        tile.semaphores,
    )
    address_bits, in_flight_log2, ring_log2, flit_bytes = fields(words["CAP_HOST"], 8, 8, 8, 8)
    assert (address_bits, flit_bytes) == (host.address_bits, config.flit_bytes)
    assert (1 << in_flight_log2, 1 << ring_log2) == (host.max_in_flight, host.max_ring_entries)
    assert fields(words["CAP_NETWORK"], 16, 16) == (mesh.max_packet_bytes, mesh.router_fifo_depth)
    assert words["CAP_VECTOR"] == tile.microprogram_entries
    assert fields(words["CAP_LOADER"], 1, 1) == (tile.transpose, tile.tensor_loads)
    names = [name for bit, name in enumerate(FORMATS) if words["CAP_FORMATS"] >> bit & 1]
    assert sorted(names) == sorted(tile.formats)
    assert words["CAP_FORMATS"] >> len(FORMATS) == 0


def test_constants_are_read_only_and_show_their_value():
    config = PRESETS["nano"]
    registers = {register.name: register for register in register_map(config)}
    for name, value in constants(config).items():
        assert registers[name].access is Access.READ_ONLY
        assert registers[name].reset == value
    assert IDENTITY.to_bytes(4, "little") == b"WEFT"


def test_after_reset_the_queue_is_disabled_and_idle():
    status = {r.name: r for r in register_map(PRESETS["nano"])}["STATUS"]
    assert QueueState(status.reset & 7) is QueueState.DISABLED
    assert status.reset >> 3 == 1


def test_every_half_has_its_other_half_beside_it():
    offsets = {register.name: register.offset for register in register_map(LARGEST)}
    for name, offset in offsets.items():
        if name.endswith("_LO"):
            assert offsets[name.removesuffix("_LO") + "_HI"] == offset + 4


def test_windows_and_probe_data_are_complete():
    names = {register.name for register in register_map(LARGEST)}
    for number in range(LARGEST.host.windows):
        assert {f"WINDOW_{number}_{part}" for part in ("BASE", "LIMIT", "ACCESS")} <= names
    assert sum(name.startswith("PROBE_DATA_") for name in names) == PROBE_WORDS == 16
