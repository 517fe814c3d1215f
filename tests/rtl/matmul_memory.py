"""Scratchpad and accumulators as the goldens see them, and random matmul commands for them."""

import numpy as np
from weft_hw.formats.table import OPERANDS, Format, units_per_row
from weft_sim.golden import SCALE_BLOCK, decode_operands, matmul_float, scale_operands

__all__ = ["OperandMemory"]

_SCALE_ROWS = 64
_FP8 = (Format.FP8E4M3, Format.FP8E5M2)
#: Zeros, subnormals, edges of normal numbers, ones, the largest, infinities, NaNs, as bf16.
_CORNERS = np.array(
    [0x0000, 0x8000, 0x0001, 0x807F, 0x0080, 0x8080, 0x00FF, 0x3F80, 0xBF80, 0x3F81, 0x7F7F,
     0xFF7F, 0x7F80, 0xFF80, 0x7FC0, 0xFF81],
    np.uint16,
)  # fmt: skip


class OperandMemory:
    """The scratchpad's bytes: a quarter each of bf16 numbers that are harmless, that are any at
    all, whose products are near 2**-126, and corner cases with many ones; the last rows are block
    scales near one. ``sums`` mirrors the
    accumulators, as uint32; lanes beyond an N are not ``known``, nor is what adds to them."""

    def __init__(self, tile, rng):
        self.tile = tile
        count = tile.scratchpad_rows * tile.row_bytes // 2
        words = rng.integers(0, 1 << 16, count).astype(np.uint16)
        kind = np.arange(count) * 4 // count
        exponents = {0: (120, 134), 2: (62, 67)}
        for part, (low, high) in exponents.items():
            drawn = rng.integers(low, high, count).astype(np.uint16) << 7
            words = np.where(kind == part, (words & 0x807F) | drawn, words)
        corners = np.where(rng.random(count) < 0.1, rng.choice(_CORNERS, count), 0x3F80)
        words = np.where(kind == 3, corners, words).astype(np.uint16)
        self.data = words.view(np.uint8)
        # at the end scales near one
        self.data[-_SCALE_ROWS * tile.row_bytes :] = rng.integers(
            117, 138, _SCALE_ROWS * tile.row_bytes
        )
        self.rows = self.data.reshape(tile.scratchpad_rows, tile.row_bytes)
        self.sums = np.zeros((tile.accumulator_rows, tile.array_cols), np.uint32)
        self.known = np.zeros(self.sums.shape, bool)

    def random_command(self, rng):
        """Fields of a command whose rows lie inside both memories."""
        tile = self.tile
        size = tile.array_rows
        code = OPERANDS[str(rng.choice([name for name in tile.formats if name in OPERANDS]))]
        edges = [1, 2, size - 1, size, size + 1, 2 * size + 3, 4 * size]
        m, n = (int(rng.choice(edges)) for _ in range(2))
        k = int(rng.choice([*edges, 9 * size + 3]))
        fields = {"m": m, "k": k, "n": n, "format": code}
        units = self._units(code)
        for name, rows, along in (("a", m, k), ("w", k, n)):
            blocks = -(-along // size)
            stride = blocks + int(rng.integers(0, 4))
            needed = (rows - 1) * stride + blocks
            # inside one kind of numbers
            part = int(rng.integers(0, 4)) * (units // 4)
            fields[f"{name}_row"] = part + int(rng.integers(0, units // 4 - needed))
            fields[f"{name}_stride"] = stride
        if code in _FP8 and "mxfp8" in tile.formats and rng.random() < 0.7:
            fields |= self._random_scales(rng, m, k, n)
        fields["acc_stride"] = m + int(rng.integers(0, 3))
        needed = fields["acc_stride"] * -(-n // tile.array_cols)
        fields["acc_row"] = int(rng.integers(0, min(64, tile.accumulator_rows - needed)))
        fields["accumulate"] = int(rng.integers(0, 2))
        return fields

    def _random_scales(self, rng, m, k, n):
        tile = self.tile
        groups = -(-k // SCALE_BLOCK)
        chunks, blocks = -(-m // tile.row_bytes), -(-n // tile.array_cols)
        fields = {"scaled": 1}
        sizes = {
            "a": (chunks, tile.scratchpad_rows),
            "w": (blocks, self._units(Format.INT8)),
        }
        for name, (along, units) in sizes.items():
            stride = along + int(rng.integers(0, 4))
            needed = (groups - 1) * stride + along
            # near one, or any at all
            end = units if rng.random() < 0.7 else units // 2
            room = _SCALE_ROWS * units // tile.scratchpad_rows
            fields[f"{name}_scale_row"] = end - needed - int(rng.integers(0, room - needed))
            fields[f"{name}_scale_stride"] = stride
        return fields

    def _scaled(self, fields, a, w):
        tile = self.tile
        groups = np.arange(-(-fields["k"] // SCALE_BLOCK))
        rows = np.arange(fields["m"])
        at = fields["a_scale_row"] + groups[:, None] * fields["a_scale_stride"]
        a_scales = self.rows[at + rows // tile.row_bytes, rows % tile.row_bytes]
        blocks = np.arange(-(-fields["n"] // tile.array_cols))
        units = fields["w_scale_row"] + groups[:, None] * fields["w_scale_stride"] + blocks
        w_scales = self.data.reshape(-1, tile.array_cols)[units].reshape(len(groups), -1)
        each = np.arange(fields["k"]) // SCALE_BLOCK
        a = scale_operands(a, a_scales[each].T)
        return a, scale_operands(w, w_scales[each, : fields["n"]])

    def apply(self, fields):
        """What the command does to ``sums``."""
        tile, code = self.tile, fields["format"]
        m, n, cols = fields["m"], fields["n"], tile.array_cols
        a = self._matrix(fields["a_row"], fields["a_stride"], m, fields["k"], code)
        w = self._matrix(fields["w_row"], fields["w_stride"], fields["k"], n, code)
        if fields.get("scaled"):
            a, w = self._scaled(fields, a, w)
        for nb, start in enumerate(range(0, n, cols)):
            rows = fields["acc_row"] + nb * fields["acc_stride"] + np.arange(m)
            lanes = min(cols, n - start)
            part = w[:, start : start + lanes]
            before = self.sums[rows, :lanes] if fields["accumulate"] else None
            if code in (Format.INT8, Format.INT4):
                product = a.astype(np.int64) @ part.astype(np.int64)
                new = product.astype(np.uint32) + (0 if before is None else before)
            else:
                initial = None if before is None else before.view(np.float32)
                new = matmul_float(
                    a, np.ascontiguousarray(part), rows=tile.array_rows, initial=initial
                ).view(np.uint32)
            self.sums[rows, :lanes] = new
            if before is None:
                self.known[rows, :lanes] = True
            self.known[rows, lanes:] = False

    async def check(self, chip, fields):
        """Compares the command's rows as the commands so far have left them."""
        cols = self.tile.array_cols
        m, stride = fields["m"], fields["acc_stride"]
        blocks = -(-fields["n"] // cols)
        got = await chip.read_block(fields["acc_row"], stride, m, blocks * cols)
        rows = fields["acc_row"] + stride * np.arange(blocks) + np.arange(m)[:, None]
        known = self.known[rows].reshape(m, -1)
        want = np.where(known, self.sums[rows].reshape(m, -1), 0)
        got = np.where(known, got.view(np.uint32), 0)
        np.testing.assert_array_equal(got, want, err_msg=str(fields))

    def _units(self, code):
        return self.tile.scratchpad_rows * units_per_row(self.tile, code)

    def _matrix(self, unit, stride, rows, cols, code):
        size = self.tile.row_bytes // units_per_row(self.tile, code)
        blocks = -(-cols // self.tile.array_rows)
        units = unit + stride * np.arange(rows)[:, None] + np.arange(blocks)
        raw = self.data.reshape(-1, size)[units].reshape(rows, -1)
        return decode_operands(raw, code)[:, :cols]
