"""The two 8-bit floating-point formats (OCP 8-bit Floating Point Specification, revision 1.0)."""

from .table import Format

__all__ = ["Fp8"]


class Fp8:
    """Sizes and special codes of a format.

    Parameters
    ----------
    format : Format
        FP8E4M3 or FP8E5M2

    Raises
    ------
    ValueError
        if ``format`` is another.
    """

    def __init__(self, format):
        if format not in (Format.FP8E4M3, Format.FP8E5M2):
            raise ValueError(f"format must be FP8E4M3 or FP8E5M2, not {format}")
        wide_range = format is Format.FP8E5M2
        self.fraction_bits = 2 if wide_range else 3
        self.bias = 15 if wide_range else 7
        self.has_infinity = wide_range
        #: Code of the largest finite number, without sign.
        self.largest = 0x7B if wide_range else 0x7E
        #: Code of the NaN written.
        self.nan = 0x7E if wide_range else 0x7F
