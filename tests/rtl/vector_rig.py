"""A vector engine on its bench: memories, front end, and commands with data."""

from typing import Any

import numpy as np
from vector_memory import Memories, command_word, random_command
from vector_ports import VectorPorts
from weft_hw.isa import Status

__all__ = ["Rig", "limited"]


class Rig(VectorPorts):
    """An engine, its memories and its front end."""

    def __init__(self, dut: Any, *, stalls: float = 0.0):
        super().__init__(dut, stalls=stalls)
        self.columns = self.tile.array_cols

    async def check(self, commands: list[dict[str, Any]], *, cycles: int = 20_000) -> None:
        """Runs the commands back to back: the whole scratchpad and every end must be right."""
        before = len(self.done.raw)
        want = Memories(
            self.config, self.memories.scratchpad.copy(), self.memories.accumulator.copy()
        )
        for f in commands:
            want.apply(f)
        words = [command_word(f, index, 3 * index) for index, f in enumerate(commands)]
        self.commands.send(*words)
        ends = (await self.done.take(before + len(commands), cycles))[before:]
        assert [(end["index"], end["signal"], end["status"]) for end in ends] == [
            (index, 3 * index, Status.OK) for index in range(len(commands))
        ]
        np.testing.assert_array_equal(
            self.memories.scratchpad, want.scratchpad, err_msg=f"commands {commands}"
        )
        await self.quiet()


def limited(rig: Rig, count: int, **fixed: Any) -> list[dict[str, Any]]:
    """Commands whose data does not overlap that of the others: each is redone until all fit."""
    acc_free = np.ones(len(rig.memories.accumulator), bool)
    pad_free = np.ones(len(rig.memories.scratchpad), bool)
    commands: list[dict[str, Any]] = []
    tries = 0
    while len(commands) < count and tries < 400:
        tries += 1
        saved = rig.memories.scratchpad.copy(), rig.memories.accumulator.copy()
        f = random_command(rig.memories, rig.rng, **fixed)
        blocks = -(-f["n"] // rig.columns)
        acc = f["acc_row"], f["acc_row"] + (blocks - 1) * f["acc_stride"] + f["m"]
        vector = -(-4 * f["n"] // rig.memories.scratchpad.shape[1])
        pads = [
            (f["bias_row"], f["bias_row"] + vector),
            (f["scale_row"], f["scale_row"] + vector),
        ]
        apart = pads[0][1] <= pads[1][0] or pads[1][1] <= pads[0][0]
        if (
            apart
            and acc_free[slice(*acc)].all()
            and all(pad_free[slice(*pad)].all() for pad in pads)
        ):
            acc_free[slice(*acc)] = False
            for pad in pads:
                pad_free[slice(*pad)] = False
            commands.append(f)
        else:
            rig.memories.scratchpad[:], rig.memories.accumulator[:] = saved
    return commands
