"""Stores to tiles, end to end: store engine, routers, ingress, scratchpad, semaphores, back.

| testpoint | drives | checks |
|---|---|---|
| any rectangle | all tiles at once, all shapes, busy banks | each row, each semaphore |
| latency, rate | lone commands, long ones | cycles as documented |
| errors | rows beyond the end, rectangles, full semaphores | status, address, nothing more |
| abort | amid transfers | ends, no row half sent, goes on |
"""

import cocotb
import pytest
from harness_tile_stores import Harness, Store
from tile_mesh import TileMesh, storing_chip
from weft_hw.isa import SEMAPHORE_MAX, Status
from weft_hw.noc.packet import RequestHeader, ResponseHeader
from weft_hw.noc.sender import header_flits
from weft_hw.noc.tile_packet import tile_packet_rows
from weft_sim.bench import run_bench


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def any_store_reaches_its_tiles(dut):
    """A row lost, doubled, misplaced or sent to the wrong tile; a semaphore given wrongly."""
    for busy, stall in ((0.0, 0.0), (0.5, 0.3)):
        h = Harness(dut, busy, stall)
        await h.start()
        local_rows = h.rows // 4
        remote_row = local_rows
        while True:
            tile = int(h.bench.rng.integers(h.mesh.tiles))
            store, rows = h.random_store(remote_row, local_rows)
            if remote_row + rows > h.rows:
                break
            remote_row += rows
            h.send(tile, store)
        h.disturb(3 * h.rows if busy else 0, local_rows)
        await h.finish()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def latencies(dut):
    """A cycle more or less than documented, on the way there, of the signal, of the end."""
    h = Harness(dut)
    await h.start()
    config, flit_bits = h.config, 8 * h.config.flit_bytes
    headers = header_flits(RequestHeader(address_bits=config.host.address_bits), config.flit_bytes)
    answers = header_flits(ResponseHeader, config.flit_bytes)
    assert flit_bits * headers >= 75
    right, down = h.mesh.cols - 1, h.mesh.rows - 1
    places = {(0, 0, 0, 0), (right, down, right, down), (0, 0, right, down)}
    for x_first, y_first, x_last, y_last in sorted(places):
        for rows in range(min(tile_packet_rows(config), 5) + 1):
            for signal in (0, 4) if rows else (4,):
                before = h.values(h.tile(x_last, y_last))[2]
                store = Store(
                    x_first=x_first,
                    x_last=x_last,
                    y_first=y_first,
                    y_last=y_last,
                    rows=rows,
                    row_bytes=config.flit_bytes,
                    local_row=3,
                    local_stride=1,
                    remote_row=100,
                    remote_stride=1,
                    remote_signal=signal,
                )
                h.send(0, store)
                await h.commands[0].drained()
                given = None
                while len(h.dones[0].raw) < h.sent[0]:
                    if given is None and h.values(h.tile(x_last, y_last))[2] != before:
                        given = h.bench.cycle
                    await h.bench.cycles(1)
                # as the docstring of the store engine has it
                way = 2 * (x_last + y_last + 1)
                written = (7 if rows else 5) + headers + rows - 1 + way
                acknowledged = written + (2 if signal else 1) + answers - 1 + way
                taken = h.commands[0].at[-1]
                assert h.dones[0].at[-1] - taken == acknowledged + 1
                if signal:
                    # given in the cycle after, seen by the semaphores' user in the next
                    assert given - taken in (written + 1, written + 2), given - taken - written
                await h.bench.cycles(5)
    await h.finish()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_flit_a_cycle(dut):
    """A bubble between packets or commands, or in the tile that writes them."""
    h = Harness(dut)
    await h.start()
    packet = tile_packet_rows(h.config)
    right, down = h.mesh.cols - 1, h.mesh.rows - 1
    headers = header_flits(
        RequestHeader(address_bits=h.config.host.address_bits), h.config.flit_bytes
    )
    rows = min(8 * packet, h.rows // 4)
    packets = -(-rows // packet)
    for count in (1, 3):
        first = len(h.commands[0].at)
        for k in range(count):
            store = Store(
                x_last=right,
                y_last=down,
                rows=rows,
                row_bytes=h.config.flit_bytes,
                local_stride=1,
                remote_stride=1,
                remote_row=h.rows // 4 * (k + 1),
                remote_signal=1 << k,
            )
            h.send(0, store)
        await h.dones[0].take(h.sent[0], cycles=20_000)
        took = h.dones[0].at[-1] - h.commands[0].at[first]
        flits = count * (rows + headers * packets)
        dut._log.info("%d stores of %d rows to all: %d flits, %d cycles", count, rows, flits, took)
        if headers + packet + 3 <= h.mesh.router_fifo_depth:
            # first header, way there, signal, way back, end
            answers = header_flits(ResponseHeader, h.config.flit_bytes)
            way = 2 * (right + down + 1)
            assert took == 7 + flits - 1 + way + 2 + answers - 1 + way + 1
    await h.finish()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def errors_end_their_command_only(dut):
    """A wrong status or address; a row, a signal or a command's end that an error takes along."""
    h = Harness(dut, stall=0.2)
    await h.start()
    flit, packet = h.config.flit_bytes, tile_packet_rows(h.config)
    right, down = h.mesh.cols - 1, h.mesh.rows - 1
    everywhere = {"x_last": right, "y_last": down, "remote_signal": 0xFFFF}
    run = {"row_bytes": flit, "local_stride": 1, "remote_stride": 1}
    # a packet of two rows of which the first is inside, where packets have so many
    inside = min(packet - 1, 1)
    bad = [
        ({"row_bytes": 0, "rows": 3}, Status.ILLEGAL_FIELD, 0),
        ({"x_first": 1, "x_last": 0, "y_last": down}, Status.ILLEGAL_FIELD, 0),
        ({"y_first": 1, "y_last": 0, "x_last": right}, Status.ILLEGAL_FIELD, 0),
        ({"x_last": right + 1}, Status.ILLEGAL_TILE, 0),
        ({"y_last": 15}, Status.ILLEGAL_TILE, 0),
        ({"rows": 0, "row_bytes": 0, "y_first": down + 1, "y_last": 15}, Status.ILLEGAL_TILE, 0),
        ({"local_row": h.rows}, Status.LOCAL_RANGE, h.rows),
        ({"local_row": 1 << 31}, Status.LOCAL_RANGE, 1 << 31),
        ({"local_row": h.rows - inside, "row_bytes": flit + 1}, Status.LOCAL_RANGE, h.rows),
        ({"remote_row": h.rows + 5}, Status.LOCAL_RANGE, h.rows + 5),
        ({"remote_row": 0xFFFFFFFF}, Status.LOCAL_RANGE, 0xFFFFFFFF),
        ({"remote_row": h.rows - inside, "row_bytes": flit + 1}, Status.LOCAL_RANGE, h.rows),
    ]
    want = []
    for fields, status, address in bad:
        store = Store(**everywhere | fields)
        h.commands[0].send(store.word(h.sent[0]))
        h.sent[0] += 1
        want.append((status, address))
        # one that is right, before the next
        good = Store(x_last=right, rows=3, remote_row=200, **run)
        h.send(0, good)
        want.append((Status.OK, None))
    # the packets before the one beyond the end are there, the signal is not
    rows = 3 * packet
    first = h.rows - 2 * packet
    store = Store(**everywhere, **run, rows=rows, remote_row=first)
    h.commands[0].send(store.word(h.sent[0]))
    h.sent[0] += 1
    want.append((Status.LOCAL_RANGE, h.rows))
    whole = Store(x_last=right, y_last=down, **run, rows=2 * packet, remote_row=first)
    h.golden(0, whole)
    ends = await h.dones[0].take(len(want), cycles=20_000)
    for index, (end, (status, address)) in enumerate(zip(ends, want, strict=True)):
        assert (end["index"], end["status"]) == (index, status), f"command {index}: {end}"
        assert address is None or end["address"] == address, f"command {index}: {end}"
    await h.bench.cycles(50)
    await h.compare()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_full_semaphore_is_told(dut):
    """An overflow in a tile that nobody hears of, that wraps, or that spoils the others' counts."""
    h = Harness(dut)
    await h.start()
    right = h.mesh.cols - 1
    last = h.tile(right, 0)
    # the last tile's own signals bring semaphore 3 to its maximum, while others come from outside
    dut[f"signal_mask__{last}"].value = 1 << 3
    dut[f"signal__{last}"].value = 1
    for _ in range(SEMAPHORE_MAX // 5):
        h.send(0, Store(x_last=right, rows=0, remote_signal=1 << 5))
    await h.bench.cycles(SEMAPHORE_MAX)
    dut[f"signal__{last}"].value = 0
    h.counts[last][3] += SEMAPHORE_MAX
    await h.dones[0].take(h.sent[0], cycles=20_000)
    await h.bench.cycles(5)
    assert h.values(last) == h.counts[last].tolist()
    # it is full: the store to both fails; where there is room the signal is given
    store = Store(x_last=right, rows=2, local_stride=1, remote_row=50, remote_signal=0b11 << 3)
    h.send(0, store)
    h.counts[last] -= [store.remote_signal >> s & 1 for s in range(16)]
    h.send(0, Store(x_last=right, rows=0, remote_signal=1))
    ends = await h.dones[0].take(h.sent[0], cycles=1000)
    assert ends[-2]["status"] is Status.SEMAPHORE_OVERFLOW
    assert ends[-1]["status"] is Status.OK
    await h.compare()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def abort_ends_cleanly(dut):
    """An abort that leaves half a packet, a lost acknowledgement, or a store that never ends."""
    h = Harness(dut)
    await h.start()
    flit, rng = h.config.flit_bytes, h.bench.rng
    right, down = h.mesh.cols - 1, h.mesh.rows - 1
    ended = 0
    for delay in (0, 3, 6, 9, 20, 60):
        for tile in range(h.mesh.tiles):
            for _ in range(4):
                store = Store(
                    x_last=right,
                    y_last=down,
                    rows=40,
                    row_bytes=flit,
                    local_stride=1,
                    remote_row=200,
                    remote_stride=1,
                )
                h.commands[tile].send(store.word(h.sent[tile]))
                h.sent[tile] += 1
        ended += 4
        await h.bench.cycles(delay + int(rng.integers(3)))
        for tile in range(h.mesh.tiles):
            dut[f"engine__{tile}__abort"].value = 1
        for done in h.dones:
            ends = (await done.take(ended, cycles=3000))[-4:]
            order = [end["status"].value for end in ends]
            assert order == sorted(order)
            assert set(order) <= {Status.OK.value, Status.ABORTED.value}
            assert order[-1] == Status.ABORTED.value
        await h.bench.cycles(5)
        for tile in range(h.mesh.tiles):
            dut[f"engine__{tile}__abort"].value = 0
        await h.bench.cycles(2)
    # rows that came are whole: every tile sent the same from there; then all works as before
    for tile in range(h.mesh.tiles):
        h.dones[tile].clear()
        h.sent[tile] = 0
    for row in range(200, 240):
        for fill, image in zip(h.fills, h.image, strict=True):
            fill.send({"row": row, "data": image[row].tobytes()})
    for fill in h.fills:
        await fill.drained()
    h.send(0, Store(x_last=right, y_last=down, rows=9, remote_row=100, remote_signal=9))
    await h.finish()


@pytest.mark.parametrize(
    ("cols", "rows", "flit_bytes", "depth"),
    # two tiles, buffers as small as can be; a mesh, headers of two flits
    [(2, 1, 4, 4), (2, 2, 8, 16)],
)
def test_tile_stores(cols, rows, flit_bytes, depth):
    run_bench(
        TileMesh(storing_chip(cols, rows, flit_bytes=flit_bytes, depth=depth)),
        f"stores_{cols}x{rows}_{flit_bytes}_{depth}",
        __name__,
        parameters={"cols": cols, "rows": rows, "flit_bytes": flit_bytes, "depth": depth},
    )
