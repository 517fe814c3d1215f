"""Every fp8 number through the decoder."""

import numpy as np
import pytest
from amaranth.sim import Simulator
from weft_hw.formats.decode_fp8 import DecodeFp8
from weft_hw.formats.fp8 import Fp8
from weft_hw.formats.table import Format
from weft_sim.golden.conversion import load_lanes

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize("code", [Format.FP8E4M3, Format.FP8E5M2])
def test_every_fp8_number_is_decoded(code: Format) -> None:
    """A subnormal with the wrong exponent, a NaN taken for a number."""
    decode = DecodeFp8(code)
    got = np.zeros(256, np.uint32)

    async def bench(context):
        for value in range(256):
            context.set(decode.i, value)
            await context.delay(1e-9)
            got[value] = context.get(decode.o) << 16

    simulator = Simulator(decode)
    simulator.add_testbench(bench)
    simulator.run()
    np.testing.assert_array_equal(got, load_lanes(np.arange(256, dtype=np.uint8), code.value))


def test_other_formats_are_no_fp8() -> None:
    with pytest.raises(ValueError, match="format must be FP8E4M3 or FP8E5M2, not "):
        Fp8(Format.BF16)
