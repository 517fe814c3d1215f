"""Where cycles go: windows, ceilings and overlap of a batch, from the trace."""

import ml_dtypes
import numpy as np
import pytest
from weft import Device
from weft.report.phases import phase_rows, phases_of, summary_of
from weft.report.timeline import spans_of, timeline_svg
from weft_sim.dram import Dram

BF16 = ml_dtypes.bfloat16


@pytest.fixture(scope="module")
def run():
    """Two products and a sum: their phases, and what the engines did."""
    rng = np.random.default_rng(0)
    with Device("model", "micro", dram=Dram(size_bytes=1 << 22)) as device:
        x, w, v = (
            device.array(rng.normal(size=shape).astype(BF16))
            for shape in ((16, 256), (256, 256), (256, 128))
        )

        def kernels() -> None:
            with device.batch():
                inner = device.matmul_async(x, w, activation="gelu", out_dtype=BF16).result
                outer = device.matmul_async(inner, v, out_dtype=BF16).result
                device.add(outer, outer)

        kernels()
        device.synchronize()
        events = []
        device.listeners.append(events.append)
        device.target.set_tracing(True)
        kernels()
        device.synchronize()
        spans = spans_of(device.target.trace())
        yield device, phases_of(device.config, device.target.dram, events, spans), spans


def test_phases(run):
    """A phase gets another kernel's commands, or a ceiling above what it took."""
    _, phases, spans = run
    assert [phase.name for phase in phases] == ["16 x 256 x 256", "16 x 256 x 128", "add"]
    wide, narrow, added = phases
    # 32 x 32 and 32 x 16 blocks of 16 rows; 16 bytes a cycle take less
    assert (wide.ceiling, narrow.ceiling) == (32 * 32 * 16, 32 * 16 * 16)
    assert added.ceiling == 0
    for phase in (wide, narrow):
        assert phase.ceiling <= phase.cycles
    busy = {name: sum(s.end - s.start for s in spans if s.engine == name) for name in ("vector",)}
    assert sum(phase.vector for phase in phases) == busy["vector"]
    assert added.hidden == 0


def test_vector_work_is_beside_the_array(run):
    """GELU of finished blocks waits for the end of the product."""
    _, (wide, narrow, _), _ = run
    assert wide.hidden >= 0.8 * wide.vector
    # the second product begins before the first one's last results are there
    assert narrow.start < wide.end + wide.vector / 2


def test_reports(run):
    device, phases, spans = run
    rows = phase_rows(phases)
    assert rows[0][0] == "16 x 256 x 256"
    assert rows[-1][3:5] == ("", "")
    total = max(span.end for span in spans) - min(span.start for span in spans)
    assert summary_of(phases, spans).startswith(f"{total:,} cycles; the array works in ")
    windows = [(phase.name, phase.start, phase.end) for phase in phases]
    picture = timeline_svg(device.config, spans, windows=windows)
    assert picture.count("<title>16 x 256 x 256: cycles") == 1
