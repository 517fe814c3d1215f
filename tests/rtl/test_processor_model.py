"""The cycle model's schedule of microprograms against the rules that the RTL is held to."""

from types import SimpleNamespace

import numpy as np
import pytest
from processor_programs import random_program, random_run
from test_processor_timing import Predictor
from weft.microcode import Word, encode
from weft_hw.presets import preset
from weft_hw.vector.microcode import Op
from weft_sim.golden.instructions import follow
from weft_sim.model.engines.load_writes import LoadWrites
from weft_sim.model.engines.schedule import Place, Schedule
from weft_sim.model.engines.traffic import ArrayTraffic
from weft_sim.model.events import Events
from weft_sim.model.local import local_memories

CONFIGURATIONS = {
    "micro": preset("micro"),
    "base": preset("base").replace_tile(formats=("int8", "bf16")),
}


@pytest.mark.parametrize("name", list(CONFIGURATIONS))
@pytest.mark.parametrize("seed", range(20))
def test_a_schedule_follows_the_rules(name: str, seed: int) -> None:
    config = CONFIGURATIONS[name]
    tile, rng = config.tile, np.random.default_rng(seed)
    rig = SimpleNamespace(rng=rng, tile=tile)
    scratchpad, accumulator = local_memories(config)
    traffic = ArrayTraffic(scratchpad, accumulator, tile)
    # nothing is loaded, ever
    end_of_time = Events()
    end_of_time.run(1 << 60)
    loads = LoadWrites(end_of_time, scratchpad)
    for _ in range(5):
        rows = int(rng.integers(1, 9)) if rng.random() < 0.5 else None
        run = random_run(rig, m=rows)
        size = int(rng.integers(1, 30))
        program = random_program(rng, tile.array_cols, run["streams"], size=size)
        program[-1:] = [Word(op=Op.ROW, d=0), Word(op=Op.END)]
        store = np.zeros(tile.microprogram_entries, np.uint64)
        store[: len(program)] = encode(program)
        places = [Place.of(tile, stream) for stream in run["streams"]]
        plan = Schedule(tile, places, traffic, loads, 0).run(
            follow(store, 0, tile.array_cols), run["m"], -(-run["n"] // tile.array_cols)
        )
        try:
            while True:
                next(plan)
        except StopIteration as end:
            done = end.value
        assert done == Predictor(tile, run).run(program).done, (run, program)
