"""The interpreter of microprograms against an element-by-element reference in rational numbers."""

from dataclasses import replace

import numpy as np
import pytest
from microprogram_reference import ReferenceEngine
from weft.microcode import Word, encode
from weft_hw.config import TileConfig
from weft_hw.formats.table import Format, units_per_row
from weft_hw.isa import Status
from weft_hw.presets import preset
from weft_hw.vector.microcode import Fill, Op, Source
from weft_sim.golden.microprogram import EngineState, run_microprogram
from weft_sim.golden.streams import Stream

MICRO = preset("micro").tile
#: Wide rows of another shape: no int4, so a write has two parts, and 16 lanes.
SIXTEEN = TileConfig(
    array_rows=16, array_cols=16, formats=("int8", "bf16"), scratchpad_kib=8, accumulator_kib=4
)
_CONTROL = (Op.END, Op.LOOP, Op.NEXT)
_COMPUTE = [op for op in Op if op not in (*_CONTROL, Op.LOAD, Op.STORE)]
_MASKS = (Op.LESS, Op.LESS_EQUAL, Op.EQUAL, Op.INT_LESS)
_NO_RESULT = (Op.STORE, *_MASKS)
#: fp32 and int32 patterns where arithmetic changes its mind.
_CORNERS = [
    *(0, 0x80000000, 1, 0x807FFFFF, 0x00800000, 0x80800000, 0x3F800000, 0xBF800000),
    *(0x7F800000, 0xFF800000, 0x7FC00000, 0xFF800001, 0x7F7FFFFF, 0x4B000001, 0x4F000000),
    *(0xCF000000, 0x3F000000, 0x33800000, 0x7FFFFFFF, 0xFFFFFFFF, 0x20000000, 0x1FFFFFFF),
]


def _random_word(rng: np.random.Generator, op: Op, registers: int, lanes: int) -> Word:
    immediate = int(rng.choice(_CORNERS) if rng.random() < 0.7 else rng.integers(2**32))
    bits = lanes.bit_length() - 1
    return Word(
        op=op,
        d=int(rng.integers(registers)),
        a=int(rng.integers(registers)),
        b=int(rng.integers(registers)),
        source=Source(int(rng.integers(4))),
        permute_bit=int(rng.integers(bits)),
        stream=int(rng.integers(4)),
        fill=Fill(int(rng.integers(4))),
        integer=int(rng.integers(2)),
        saturate=int(rng.integers(2)),
        immediate=immediate,
    )


def _random_body(rng: np.random.Generator, length: int, lanes: int, tidy: bool) -> list[Word]:
    """A load, operations, a store. A ``tidy`` one reads only what it has written itself."""
    registers = int(rng.integers(2, 6))
    words: list[Word] = []
    for op in [Op.LOAD, *rng.choice(_COMPUTE, length), Op.STORE]:
        word = _random_word(rng, op, registers, lanes)
        if tidy:
            written = sorted({word.d for word in words if word.op not in _NO_RESULT})
            has_mask = any(word.op in _MASKS for word in words)
            if op is Op.SELECT and not has_mask:
                word = replace(word, op=Op.XOR)
            if written:
                a, b = (int(register) for register in rng.choice(written, 2))
                word = replace(word, a=a, b=b)
        words.append(word)
    return words


def _random_program(rng: np.random.Generator, lanes: int) -> list[Word]:
    """Bodies with and without a loop; most run at once, a few are wrong."""
    tidy = bool(rng.random() < 0.7)
    words = _random_body(rng, int(rng.integers(1, 5)), lanes, tidy) if rng.random() < 0.5 else []
    if rng.random() < 0.8:
        inside = _random_body(rng, int(rng.integers(1, 7)), lanes, tidy)
        words += [Word(op=Op.LOOP), *inside, Word(op=Op.NEXT)]
    words += _random_body(rng, 2, lanes, tidy) if rng.random() < 0.4 else []
    words.append(Word(op=Op.END))
    if rng.random() < 0.1:
        words.insert(int(rng.integers(len(words))), Word(op=Op(int(rng.integers(3)))))
    return words


def _random_stream(rng: np.random.Generator, tile: TileConfig) -> Stream:
    """Mostly near the others, so that they overlap; sometimes out of range."""
    formats = [Format.INT8, Format.INT32, Format.FP32, Format.BF16]
    formats += [Format.INT4, Format.FP8E4M3, Format.FP8E5M2] if "int4" in tile.formats else []
    accumulator = bool(rng.random() < 0.15)
    code = formats[int(rng.integers(len(formats)))]
    if accumulator:
        code = (Format.INT32, Format.FP32)[int(rng.integers(2))]
    units = 1 if accumulator else units_per_row(tile, code)
    row = int(rng.integers(50, 80)) * units + int(rng.integers(units))
    if rng.random() < 0.03:
        row = int(rng.choice([0, tile.scratchpad_rows * units - 20]))
    return Stream(row, int(rng.integers(-4, 9)), int(rng.integers(-2, 4)), code, accumulator)


def _memories(rng: np.random.Generator, tile: TileConfig) -> tuple[np.ndarray, np.ndarray]:
    words = tile.scratchpad_rows * tile.row_bytes // 4
    values = rng.standard_normal(words).astype(np.float32).view(np.uint32)
    corners = rng.choice(np.array(_CORNERS, np.uint32), words)
    raw = rng.integers(0, 2**32, words, dtype=np.uint32)
    kind = rng.integers(0, 3, words)
    scratchpad = np.choose(kind, [values, corners, raw]).astype(np.uint32)
    accumulator = rng.integers(-(2**31), 2**31, (tile.accumulator_rows, tile.array_cols))
    return scratchpad.view(np.uint8).reshape(-1, tile.row_bytes), accumulator.astype(np.int32)


@pytest.mark.parametrize("tile", [MICRO, SIXTEEN], ids=["micro", "sixteen"])
@pytest.mark.parametrize("seed", range(16))
def test_random_programs(tile: TileConfig, seed: int) -> None:
    """Two runs each, so that registers and mask carry over; streams overlap at random."""
    rng = np.random.default_rng(1000 * seed + tile.array_cols)
    scratchpad, accumulator = _memories(rng, tile)
    engine = ReferenceEngine(tile, scratchpad.tobytes(), accumulator)
    state = EngineState(tile.array_cols)
    for _ in range(2):
        store = rng.integers(0, 2**64, tile.microprogram_entries, dtype=np.uint64)
        words = encode(_random_program(rng, tile.array_cols))
        start = int(rng.integers(len(store) - len(words)))
        store[start : start + len(words)] = words
        m, n = int(rng.integers(1, 20)), int(rng.integers(1, 3 * tile.array_cols))
        streams = [_random_stream(rng, tile) for _ in range(4)]
        scalars = [int(rng.choice(_CORNERS)) for _ in range(4)]
        want = engine.run(store, m, n, start, streams, scalars)
        got = run_microprogram(
            tile, store, scratchpad, accumulator,
            m=m, n=n, start=start, streams=streams, scalars=scalars, state=state,
        )  # fmt: skip
        assert (got.status, got.address) == want
        after = np.frombuffer(engine.scratchpad, np.uint8).reshape(scratchpad.shape)
        np.testing.assert_array_equal(scratchpad, after)
        np.testing.assert_array_equal(accumulator, engine.accumulator)
        if got.status is not Status.OK:
            return
        np.testing.assert_array_equal(state.registers, np.array(engine.registers, np.uint32))
        np.testing.assert_array_equal(state.mask, np.array(engine.mask))


def _run(words: list[Word], streams: list[Stream], *, m: int = 1, n: int = 8, start: int = 0):
    store = np.zeros(MICRO.microprogram_entries, np.uint64)
    store[start : start + len(words)] = encode(words)
    scratchpad, accumulator = _memories(np.random.default_rng(0), MICRO)
    return run_microprogram(
        MICRO, store, scratchpad, accumulator, m=m, n=n, start=start, streams=streams
    )


_LOAD, _STORE = Word(op=Op.LOAD), Word(op=Op.STORE)
_LOOP, _NEXT, _END = Word(op=Op.LOOP), Word(op=Op.NEXT), Word(op=Op.END)
_ILLEGAL = Status.ILLEGAL_INSTRUCTION


@pytest.mark.parametrize(
    ("words", "status", "address"),
    [
        ([_LOOP, _LOAD, _LOOP, _NEXT, _END], _ILLEGAL, 2),  # nested
        ([_LOAD, _NEXT, _END], _ILLEGAL, 1),  # NEXT without LOOP
        ([_LOOP, _LOAD, _END], _ILLEGAL, 2),  # END in a loop
        ([Word(op=Op.ADD, source=Source.PERMUTED, permute_bit=3), _END], _ILLEGAL, 0),
        ([Word(op=Op.ADD, source=Source.PERMUTED, permute_bit=2), _END], Status.OK, 0),
        ([Word(op=Op.STORE, stream=1), _END], Status.ILLEGAL_FIELD, 0),  # to accumulators
    ],
)
def test_faults_of_programs(words: list[Word], status: Status, address: int) -> None:
    result = _run(words, [Stream(), Stream(0, 0, 0, Format.INT32, True)])
    assert (result.status, result.address) == (status, address)


def test_program_that_leaves_its_store() -> None:
    result = _run([_LOAD] * 6, [Stream()], start=250)
    assert (result.status, result.address) == (_ILLEGAL, 256)


@pytest.mark.parametrize(
    "stream",
    [
        Stream(format=7),  # no format
        Stream(format=Format.INT8, accumulator=True),
        Stream(format=Format.BF16, accumulator=True),
    ],
)
def test_illegal_streams(stream: Stream) -> None:
    assert _run([_END], [Stream(), stream]).status is Status.ILLEGAL_FIELD


def test_formats_that_are_not_built_in() -> None:
    assert not Stream(format=Format.INT4).is_legal(SIXTEEN)
    assert not Stream(format=Format.FP8E4M3).is_legal(SIXTEEN)
    assert Stream(format=Format.BF16).is_legal(SIXTEEN)
    assert Stream(format=Format.FP32).is_legal(SIXTEEN)


@pytest.mark.parametrize(("m", "n"), [(0, 1), (1, 0)])
def test_sizes_must_not_be_zero(m: int, n: int) -> None:
    assert _run([_END], [], m=m, n=n).status is Status.ILLEGAL_FIELD


def test_rows_before_the_one_out_of_range_are_written() -> None:
    """A store that faults at its third row after all has written the first two."""
    store = np.zeros(256, np.uint64)
    store[:3] = encode([Word(op=Op.MOVE, d=0, source=Source.IMMEDIATE, immediate=5), _STORE, _END])
    scratchpad, accumulator = _memories(np.random.default_rng(0), MICRO)
    before = scratchpad.copy()
    rows = MICRO.scratchpad_rows
    result = run_microprogram(
        MICRO, store, scratchpad, accumulator,
        m=5, n=8, start=0, streams=[Stream(rows - 4, 2, 0, Format.FP32)],
    )  # fmt: skip
    assert (result.status, result.address) == (Status.LOCAL_RANGE, rows)
    np.testing.assert_array_equal(scratchpad[: rows - 4], before[: rows - 4])
    assert (scratchpad[rows - 4 :].view(np.uint32) == 5).all()


def test_arrays_are_checked() -> None:
    scratchpad, accumulator = _memories(np.random.default_rng(0), MICRO)
    store = np.zeros(256, np.uint64)
    with pytest.raises(TypeError, match="store must be a numpy array of uint64"):
        run_microprogram(
            MICRO, store.astype(np.int64), scratchpad, accumulator, m=1, n=1, start=0, streams=[]
        )
    with pytest.raises(ValueError, match="scratchpad must be contiguous and of shape"):
        run_microprogram(MICRO, store, scratchpad[:-1], accumulator, m=1, n=1, start=0, streams=[])
