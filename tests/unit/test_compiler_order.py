"""One ring order for the programs of all tiles."""

from weft.compiler.emit import TileProgram
from weft.compiler.estimate import Estimate
from weft.compiler.order import interleave_by_time
from weft.compiler.program import Step
from weft.compiler.task import Blocking, Part
from weft_hw.isa import Opcode

_BLOCKING = Blocking(
    m=8, n=8, k=8, m_outer=True, first_k=8, tail_m=0, tail_n=0, a_quarters=1
)  # fmt: skip


def _order(*tiles: list[tuple[Step, int]]) -> list[Step]:
    """Of steps and when each begins."""
    programs, timed = [], []
    for x, steps in enumerate(tiles):
        part = Part(tile=(x, 0), endpoint=0, m0=0, m=8, n0=0, n=8)
        programs.append(TileProgram(part, _BLOCKING, [], [step for step, _ in steps]))
        timed.append(Estimate(starts=[start for _, start in steps]))
    return interleave_by_time(programs, timed)


def _load(x: int) -> Step:
    return Step(Opcode.LOAD, (x, 0), {})


def _waits(x: int, mask: int) -> Step:
    step = Step(Opcode.MATMUL, (x, 0), {})
    step.wait = mask
    return step


def _sends(x: int, to: tuple[int, int], mask: int) -> Step:
    """To tiles ``to[0]`` to ``to[1]`` of the row."""
    fields = {"to_tiles": 1, "x_first": to[0], "x_last": to[1], "y_first": 0, "y_last": 0}
    return Step(Opcode.STORE, (x, 0), {**fields, "remote_signal": mask})


def test_by_time():
    """A tile's steps all come before another's."""
    first, second, third, fourth = _load(0), _load(1), _load(0), _load(1)
    assert _order([(first, 0), (third, 20)], [(second, 10), (fourth, 30)]) == [
        first, second, third, fourth,
    ]  # fmt: skip


def test_results_wait_in_their_queues():
    """A store's late start holds up its tile's next load."""
    store, load, other = Step(Opcode.STORE, (0, 0), {}), _load(0), _load(1)
    assert _order([(store, 90), (load, 5)], [(other, 10)]) == [store, load, other]


def test_signals_come_first():
    """A step that is thought to begin early comes before what it waits for."""
    waits, after = _waits(1, 0b1_0000_0000_0000), _load(1)
    load, sends = _load(0), _sends(0, (1, 1), 0b1_0000_0000_0000)
    found = _order([(load, 50), (sends, 60)], [(waits, 0), (after, 1)])
    assert found == [load, sends, waits, after]


def test_each_count_is_taken_once():
    """Two steps go on with one signal, or one of two semaphores is enough."""
    mask = 0b11 << 12
    first, second = _waits(1, mask), _waits(1, mask)
    sends = [_sends(0, (0, 1), 1 << bit) for bit in (12, 13, 13, 12)]
    found = _order([(step, 10) for step in sends], [(first, 0), (second, 0)])
    assert found == [sends[0], sends[1], first, sends[2], sends[3], second]
