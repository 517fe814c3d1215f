"""Operands of every format against ml_dtypes, bit by bit, and block scales against float64."""

import ml_dtypes
import numpy as np
import pytest
from weft_hw.formats.table import Format
from weft_sim.golden import decode_operands, encode_operands, scale_operands

NAN = np.uint32(0x7FC00000)
DTYPES = {
    Format.BF16: ml_dtypes.bfloat16,
    Format.FP8E4M3: ml_dtypes.float8_e4m3fn,
    Format.FP8E5M2: ml_dtypes.float8_e5m2,
}


def every_code(code: Format) -> np.ndarray:
    bits = 16 if code == Format.BF16 else 8
    return np.arange(1 << bits, dtype=np.uint16 if bits == 16 else np.uint8).view(np.uint8)


@pytest.mark.parametrize("code", DTYPES)
def test_every_code_of_a_float_format(code: Format) -> None:
    raw = every_code(code)
    want = raw.view(DTYPES[code]).astype(np.float32)
    want = np.where(np.abs(want) < np.float32(2.0**-126), np.copysign(np.float32(0), want), want)
    bits = np.where(np.isnan(want), NAN, want.view(np.uint32))
    got = decode_operands(raw, code)
    np.testing.assert_array_equal(got.view(np.uint32), bits)
    # an operand is a bf16 number whatever its format
    assert not np.any(bits & np.uint32(0xFFFF))


def test_corners_by_hand() -> None:
    table = {
        Format.BF16: {0x0001: 0x00000000, 0x807F: 0x80000000, 0x0080: 0x00800000,
                      0x7F80: 0x7F800000, 0xFF81: 0x7FC00000, 0xFF7F: 0xFF7F0000},
        Format.FP8E4M3: {0x00: 0, 0x80: 0x80000000, 0x01: 0x3B000000, 0x07: 0x3C600000,
                         0x08: 0x3C800000, 0x7E: 0x43E00000, 0x7F: NAN, 0xFF: NAN},
        Format.FP8E5M2: {0x01: 0x37800000, 0x83: 0xB8400000, 0x04: 0x38800000, 0x7B: 0x47600000,
                         0x7C: 0x7F800000, 0xFC: 0xFF800000, 0x7D: NAN, 0xFE: NAN},
    }  # fmt: skip
    for code, cases in table.items():
        kind = np.uint16 if code == Format.BF16 else np.uint8
        raw = np.array(list(cases), kind).view(np.uint8)
        got = decode_operands(raw, code).view(np.uint32)
        np.testing.assert_array_equal(got, np.array(list(cases.values()), np.uint32), str(code))


def test_int4_is_packed_low_half_first() -> None:
    raw = np.arange(256, dtype=np.uint8)
    got = decode_operands(raw, Format.INT4).reshape(256, 2)
    for byte in range(256):
        halves = [byte & 15, byte >> 4]
        np.testing.assert_array_equal(got[byte], [h - 16 if h > 7 else h for h in halves])
    np.testing.assert_array_equal(encode_operands(got.reshape(-1), Format.INT4), raw)


@pytest.mark.parametrize("code", [Format.INT8, Format.INT4, *DTYPES])
def test_encoding_reverses_decoding(code: Format) -> None:
    raw = every_code(Format.INT8 if code == Format.INT4 else code)
    values = decode_operands(raw, code)
    again = decode_operands(encode_operands(values, code), code)
    np.testing.assert_array_equal(again.view(np.uint8), values.view(np.uint8))


def test_scales_are_powers_of_two_within_bf16() -> None:
    values = np.concatenate(
        [decode_operands(every_code(code), code) for code in (Format.FP8E4M3, Format.FP8E5M2)]
    )
    scales = np.arange(256, dtype=np.uint8)
    got = scale_operands(values[:, None], scales)
    with np.errstate(over="ignore", invalid="ignore"):
        exact = values[:, None].astype(np.float64) * 2.0 ** (scales.astype(np.float64) - 127)
        want = exact.astype(np.float32)
    want = np.where(np.abs(exact) < 2.0**-126, np.copysign(np.float32(0), values[:, None]), want)
    want[:, 255] = np.nan
    bits = np.where(np.isnan(want), NAN, want.view(np.uint32))
    np.testing.assert_array_equal(got.view(np.uint32), bits)
    assert not np.any(bits & np.uint32(0xFFFF))
    assert np.isinf(got[values == 448, 254]).all()
    assert np.signbit(got[values == -448, 0]).all()


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="an operand format of the array"):
        decode_operands(np.zeros(4, np.uint8), Format.FP32)
    with pytest.raises(TypeError, match="values must have dtype float32, not float64"):
        encode_operands(np.zeros(4), Format.BF16)
    with pytest.raises(ValueError, match="even number of int4 elements, not 3"):
        encode_operands(np.zeros(3, np.int8), Format.INT4)
    with pytest.raises(ValueError, match=r"must lie in -8\.\.7 for int4"):
        encode_operands(np.array([8, 0], np.int8), Format.INT4)
