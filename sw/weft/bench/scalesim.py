"""Our cycles beside those of SCALE-Sim (PyPI ``scalesim``, optional): `weft bench --only scalesim`.

Both see a weight-stationary array of R x C and a product of M x K x N. SCALE-Sim's cycles are those
of its compute trace, in which operands are always there. It puts one block after the other: R
cycles for the weights, M for the activations, R + C - 2 for the skew, each time. Ours are the
window of the array with operands in the scratchpad, in which weights are loaded and the skew is
passed while the block before computes (a block every max(M, R) cycles), and the whole product from
memory. So SCALE-Sim is above our window by about 2 R + C cycles for each block but the first.
"""

from __future__ import annotations

import contextlib
import io
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from weft_hw.config import ChipConfig
from weft_hw.presets import preset
from weft_sim.dram import Dram

from ..array_window import array_window
from ..gemm import gemm_report
from .result import Measurement

__all__ = ["scalesim", "scalesim_cycles"]

#: (M, K, N) that fit the scratchpad of `base`: one block, square, tall, wide, deep, ragged.
_SHAPES = (
    (16, 16, 16),
    (128, 128, 128),
    (256, 64, 32),
    (32, 64, 256),
    (32, 512, 32),
    (50, 70, 90),
)

_DIFFERENCE = (
    "SCALE-Sim loads weights, computes and drains one block after the other in a bare array; ours "
    "overlaps the three, but pays once for decoding, operand reads and pipeline registers"
)

_CONFIG = """[general]
run_name = weft
[architecture_presets]
ArrayHeight : {rows}
ArrayWidth : {cols}
IfmapSramSzkB : 1024
FilterSramSzkB : 1024
OfmapSramSzkB : 1024
IfmapOffset : 0
FilterOffset : 10000000
OfmapOffset : 20000000
Bandwidth : {bandwidth}
Dataflow : ws
MemoryBanks : 1
ReadRequestBuffer : 64
WriteRequestBuffer : 64
[layout]
IfmapCustomLayout : False
IfmapSRAMBankBandwidth : 10
IfmapSRAMBankNum : 10
IfmapSRAMBankPort : 2
FilterCustomLayout : False
FilterSRAMBankBandwidth : 10
FilterSRAMBankNum : 10
FilterSRAMBankPort : 2
[sparsity]
SparsitySupport : false
SparseRep : ellpack_block
OptimizedMapping : false
BlockSize : 8
RandomNumberGeneratorSeed : 40
[run_presets]
InterfaceBandwidth : CALC
UseRamulatorTrace : False
"""


def scalesim_cycles(config: ChipConfig, m: int, k: int, n: int) -> int:
    """Compute cycles of one product on one array: the length of SCALE-Sim's trace of outputs.

    Its model of the memory in front is left out: with numpy 2 its release 3.0.0 cannot run it.

    Raises
    ------
    ImportError
        if it is not installed, saying how to.
    """
    try:
        from scalesim.layout_utils import layouts
        from scalesim.scale_config import scale_config
        from scalesim.single_layer_sim import single_layer_sim
        from scalesim.topology_utils import topologies
    except ImportError as error:
        raise ImportError(
            "SCALE-Sim must be installed for this: pip install 'scalesim==3.0.0'"
        ) from error
    tile = config.tile
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(io.StringIO()):
        folder = Path(name)
        settings, layers, places = (folder / f for f in ("weft.cfg", "layers.csv", "places.csv"))
        settings.write_text(
            _CONFIG.format(rows=tile.array_rows, cols=tile.array_cols, bandwidth=1024)
        )
        layers.write_text(f"Layer, M, N, K,\nproduct, {m}, {n}, {k},\n")
        # where operands lie in its memories counts for nothing here, but must be said
        places.write_text("Layer,\nproduct," + " 1," * 20 + "\n")
        config_object, topology, layout = scale_config(), topologies(), layouts()
        config_object.read_conf_file(str(settings))
        topology.load_arrays(topofile=str(layers), mnk_inputs=True)
        layout.load_arrays(layoutfile=str(places), mnk_inputs=True)
        layer = single_layer_sim()
        layer.set_params(
            layer_id=0, config_obj=config_object, topology_obj=topology, layout_obj=layout,
            verbose=False,
        )  # fmt: skip
        operands, compute = layer.op_mat_obj, layer.compute_system
        compute.set_params(
            config_obj=config_object,
            ifmap_op_mat=operands.get_ifmap_matrix()[1],
            filter_op_mat=operands.get_filter_matrix()[1],
            ofmap_op_mat=operands.get_ofmap_matrix()[1],
        )
        return int(compute.get_demand_matrices()[2].shape[0])


def _row(config: ChipConfig, shape: tuple[int, int, int], dram: Dram) -> dict[str, int]:
    """Cycles of one product by everyone; every result of ours is bit-exact.

    Raises
    ------
    RuntimeError
        if a result of ours is wrong.
    """
    row = {"SCALE-Sim": scalesim_cycles(config, *shape)}
    for target, name in (("model", "model"), ("rtl", "RTL")):
        window = array_window(*shape, config, target)
        whole = gemm_report(*shape, preset=config, target=target, dram=dram)
        if not (window["bit_exact"] and whole["bit_exact"]):
            raise RuntimeError(f"{name}'s result of {shape} differs from numpy; see weft gemm")
        row[f"{name} window"] = window["window_cycles"]
        row[f"{name} from memory"] = whole["cycles"]
    return row


def scalesim() -> Iterator[Measurement]:
    """Cycles of single products on `base`: SCALE-Sim, our array's window, the whole from memory."""
    config, memory = preset("base"), Dram(latency_cycles=100)
    rows = {shape: _row(config, shape, memory) for shape in _SHAPES}
    columns = ("SCALE-Sim", "model window", "RTL window", "model from memory", "RTL from memory")
    lines = ["  ".join(["M x K x N".rjust(15), *columns])]
    for shape, row in rows.items():
        cells = [f"{row[column]:>{len(column)},}" for column in columns]
        lines.append("  ".join([" x ".join(map(str, shape)).rjust(15), *cells]))
    ratios = [row["SCALE-Sim"] / row["RTL window"] for row in rows.values()]
    yield Measurement(
        name="scalesim",
        what="base, int8: SCALE-Sim's compute cycles over our RTL's, median",
        value=statistics.median(ratios),
        unit="x",
        command="weft bench --only scalesim",
        detail="\n    ".join([_DIFFERENCE, *lines]),
    )
