"""Arithmetic and conversions of the vector engine's lanes, an element at a time, in rational
numbers: what ``golden.fp32`` and ``golden.conversion`` are tested against.
"""

from fractions import Fraction

import numpy as np
from weft_hw.formats.table import BITS, Format

NAN, INFINITY = 0x7FC00000, 0x7F800000
#: Exponent bits, fraction bits, whether the largest exponent is for infinities and NaN.
_FLOATS = {
    Format.FP32: (8, 23, True),
    Format.BF16: (8, 7, True),
    Format.FP8E5M2: (5, 2, True),
    Format.FP8E4M3: (4, 3, False),
}
_NANS = {Format.BF16: 0x7FC0, Format.FP8E5M2: 0x7E, Format.FP8E4M3: 0x7F}


def is_nan(bits: int) -> bool:
    return bits & 0x7FFFFFFF > INFINITY


def is_infinite(bits: int) -> bool:
    return bits & 0x7FFFFFFF == INFINITY


def flushed(bits: int) -> int:
    return bits if bits & INFINITY else bits & 0x80000000


def value(bits: int) -> Fraction:
    """Of finite fp32 bits, subnormals as they are."""
    exponent, fraction = bits >> 23 & 255, bits & 0x7FFFFF
    if exponent:
        fraction += 1 << 23
    size = Fraction(fraction) * Fraction(2) ** (max(exponent, 1) - 150)
    return -size if bits >> 31 else size


def magnitude(number: Fraction) -> int:
    """The e of ``2**e <= abs(number) < 2**(e + 1)``."""
    exponent = number.numerator.bit_length() - number.denominator.bit_length()
    return exponent - (abs(number) < Fraction(2) ** exponent)


def round_to(number: Fraction, digits: int, lowest: int | None = None) -> Fraction:
    """To ``digits`` binary digits, ties to even; not finer than 2**lowest."""
    if number == 0:
        return number
    exponent = magnitude(number) + 1 - digits
    if lowest is not None:
        exponent = max(exponent, lowest)
    unit = Fraction(2) ** exponent
    return round(number / unit) * unit


def fp32(number: Fraction, sign: int) -> int:
    """Bits of a number; ``sign`` is that of a zero."""
    number = round_to(number, 24)
    if number:
        sign = number < 0
    if abs(number) < Fraction(2) ** -126:
        return int(sign) << 31
    if abs(number) >= Fraction(2) ** 128:
        return int(sign) << 31 | INFINITY
    return int(np.float32(float(number)).view(np.uint32))


def add(a: int, b: int) -> int:
    a, b = flushed(a), flushed(b)
    if is_nan(a) or is_nan(b) or (is_infinite(a) and is_infinite(b) and a != b):
        return NAN
    if is_infinite(a) or is_infinite(b):
        return a if is_infinite(a) else b
    return fp32(value(a) + value(b), a >> 31 & b >> 31)


def multiply(a: int, b: int) -> int:
    a, b = flushed(a), flushed(b)
    sign = (a ^ b) >> 31
    if is_nan(a) or is_nan(b):
        return NAN
    if is_infinite(a) or is_infinite(b):
        other = b if is_infinite(a) else a
        return NAN if other & 0x7FFFFFFF == 0 else sign << 31 | INFINITY
    return fp32(value(a) * value(b), sign)


def _order(bits: int) -> int:
    """Numbers in order, -0 before +0."""
    return -(bits & 0x7FFFFFFF) - 1 if bits >> 31 else bits


def less(a: int, b: int, *, equal: bool = False) -> bool:
    a, b = flushed(a), flushed(b)
    if is_nan(a) or is_nan(b):
        return False
    both_zero = not (a | b) & 0x7FFFFFFF
    return (equal and (a == b or both_zero)) or (not both_zero and _order(a) < _order(b))


def extreme(a: int, b: int, *, largest: bool) -> int:
    a, b = flushed(a), flushed(b)
    if is_nan(a) or is_nan(b):
        return NAN
    return max(a, b, key=_order) if largest else min(a, b, key=_order)


def signed(bits: int) -> int:
    return bits - (bits >> 31 << 32)


def to_int(bits: int, low: int = -(2**31), high: int = 2**31 - 1) -> int:
    bits = flushed(bits)
    if is_nan(bits):
        return 0
    if is_infinite(bits):
        return low if bits >> 31 else high
    return min(max(round(value(bits)), low), high)


def to_float(bits: int) -> int:
    return fp32(Fraction(signed(bits)), 0)


def load_element(raw: int, code: Format, integer: bool) -> int:
    """32 bits of an element's bits."""
    if code in (Format.INT8, Format.INT4, Format.INT32):
        width = BITS[code]
        number = (raw - (raw >> width - 1 << width)) & 0xFFFFFFFF
        return number if integer else to_float(number)
    if code in (Format.FP32, Format.BF16):
        return raw << 32 - BITS[code]
    exponent_bits, fraction_bits, special = _FLOATS[code]
    sign, fraction = raw >> 7, raw & (1 << fraction_bits) - 1
    exponent = raw >> fraction_bits & (1 << exponent_bits) - 1
    top = exponent == (1 << exponent_bits) - 1
    if (special and top and fraction) or (not special and raw & 0x7F == 0x7F):
        return NAN
    if special and top:
        return sign << 31 | INFINITY
    bias = (1 << exponent_bits - 1) - 1
    whole = fraction + ((exponent > 0) << fraction_bits)
    number = Fraction(whole) * Fraction(2) ** (max(exponent, 1) - bias - fraction_bits)
    return fp32(-number if sign else number, sign)


def store_element(lane: int, code: Format, integer: bool, saturate: bool) -> int:
    """An element's bits."""
    width = BITS[code]
    if code in (Format.INT8, Format.INT4, Format.INT32):
        low, high = -(1 << width - 1), (1 << width - 1) - 1
        number = min(max(signed(lane), low), high) if integer else to_int(lane, low, high)
        return number & (1 << width) - 1
    if code is Format.FP32:
        return lane
    lane = flushed(lane)
    if is_nan(lane):
        return _NANS[code]
    exponent_bits, fraction_bits, special = _FLOATS[code]
    bias = (1 << exponent_bits - 1) - 1
    top = (1 << exponent_bits) - 1
    infinity = top << fraction_bits if special else _NANS[code]
    largest_bits = infinity - 1
    largest = value(load_element(largest_bits, code, False))
    sign = lane >> 31 << width - 1
    lowest = 1 - bias - fraction_bits
    number = None if is_infinite(lane) else round_to(value(lane), fraction_bits + 1, lowest)
    if number is None or abs(number) > largest:
        if saturate:
            return sign | largest_bits
        return sign | infinity if special else infinity
    size = abs(number)
    if size == 0:
        return sign
    exponent = max(magnitude(size), 1 - bias)
    whole = int(size / Fraction(2) ** (exponent - fraction_bits))
    # a whole below 2**fraction_bits is subnormal: its exponent field is 0
    return sign | (exponent + bias - 1 << fraction_bits) + whole
