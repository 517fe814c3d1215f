"""The memory's parameters: what is refused, and how."""

import pytest
from weft_sim.dram import Dram


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("size_bytes", 0, "size_bytes must be a positive multiple of 4096, not 0"),
        ("size_bytes", 4097, "size_bytes must be a positive multiple of 4096, not 4097"),
        ("latency_cycles", 0, "latency_cycles must be between 1 and 100,000, not 0"),
        ("latency_cycles", 100_001, "latency_cycles must be between 1 and 100,000, not 100001"),
        ("bytes_per_cycle", 0, "bytes_per_cycle must be at least 1, not 0"),
        ("stall_probability", -0.1, "stall_probability must be between 0 and 0.95, not -0.1"),
        ("stall_probability", 0.96, "stall_probability must be between 0 and 0.95, not 0.96"),
        ("stall_seed", 0, r"stall_seed must be between 1 and 2\*\*32 - 1, not 0"),
        ("stall_seed", 2**32, r"stall_seed must be between 1 and 2\*\*32 - 1, not 4294967296"),
        ("error_base", -1, r"error_base must be between 0 and 2\*\*64 - 1, not -1"),
        ("error_limit", -1, "error_limit must be at least error_base, not -1"),
        ("error_limit", 2**64, r"error_limit must be below 2\*\*64, not 18446744073709551616"),
    ],
)
def test_values_out_of_range_are_refused(name, value, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Dram(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("size_bytes", 4096.0),
        ("latency_cycles", True),
        ("bytes_per_cycle", "16"),
        ("stall_seed", None),
        ("error_base", 0.5),
        ("error_limit", "0"),
    ],
)
def test_integers_are_required(name, value):
    with pytest.raises(TypeError, match=f"^{name} must be an integer, not {value!r}$"):
        Dram(**{name: value})


def test_stall_probability_is_a_number():
    with pytest.raises(TypeError, match="stall_probability must be a number, not '0"):
        Dram(stall_probability="0.5")


@pytest.mark.parametrize(
    ("port_bytes", "bytes_per_cycle", "cycles"),
    [(16, None, 1), (16, 16, 1), (16, 64, 1), (16, 8, 2), (16, 5, 4), (16, 1, 16), (128, 96, 2)],
)
def test_a_beat_occupies_the_bus_for_its_bytes(port_bytes, bytes_per_cycle, cycles):
    assert Dram(bytes_per_cycle=bytes_per_cycle).beat_cycles(port_bytes) == cycles


def test_stall_threshold_is_the_share_of_32_bit_numbers():
    assert Dram().stall_threshold == 0
    assert Dram(stall_probability=0.5).stall_threshold == 2**31
