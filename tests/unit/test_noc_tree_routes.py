"""Packets to rectangles of tiles: layouts, trees, and the deadlock check of both; no simulator."""

from dataclasses import replace

import pytest
from amaranth.hdl import Shape
from weft_hw.config import ChipConfig, HostConfig, MeshConfig, TileConfig
from weft_hw.noc.deadlock import (
    Area,
    DeadlockError,
    areas,
    check_network,
    find_cycle,
    tree_dependencies,
    walk_tree,
)
from weft_hw.noc.mesh import Mesh
from weft_hw.noc.packet import NodeAddress, RequestHeader, RouterPort
from weft_hw.noc.routing import dimension_order, row_then_columns
from weft_hw.noc.tile_packet import (
    CREDIT_LOOP,
    TO_TILES,
    Rectangle,
    TileWriteHeader,
    tile_packet_flits,
    tile_packet_rows,
)
from weft_hw.noc.topology import NodeKind, nodes
from weft_hw.noc.tree_router import TreeRouter
from weft_hw.presets import PRESETS

OBLONG = MeshConfig(cols=4, rows=3, memory_endpoints=3, router_fifo_depth=16)
LOCAL, NORTH, EAST, SOUTH, WEST = RouterPort


def column_then_rows(x, y, came_by, area):
    """Sound in itself, but its turns close circles with those of ``dimension_order``."""
    in_row = (area.y_first <= y) & (area.y_last >= y)
    rules = [
        (in_row & (area.x_first <= x) & (area.x_last >= x), LOCAL),
        (in_row & (area.x_last > x) & (came_by is not EAST), EAST),
        (in_row & (area.x_first < x) & (came_by is not WEST), WEST),
        ((area.y_last > y) & (came_by in (LOCAL, NORTH)), SOUTH),
        ((area.y_first < y) & (came_by in (LOCAL, SOUTH)), NORTH),
    ]
    return rules


def half_deaf(x, y, came_by, area):
    """Leaves out the tiles of the row it travels along."""
    rules = row_then_columns(x, y, came_by, area)
    return [
        (condition & ((port is not LOCAL) | (came_by is not WEST)), port)
        for condition, port in rules
    ]


def overshooting(x, y, came_by, area):
    """Does not know where the mesh ends."""
    return [
        (condition | (port is EAST), port)
        for condition, port in row_then_columns(x, y, came_by, area)
    ]


def turning_back(x, y, came_by, area):
    """Also goes back where it came from."""
    rules = row_then_columns(x, y, came_by, area)
    return [*rules, (came_by is NORTH, NORTH)]


def all_areas(mesh):
    return [
        Area(x_first, y_first, x_last, y_last)
        for x_first in range(mesh.cols)
        for x_last in range(x_first, mesh.cols)
        for y_first in range(mesh.rows)
        for y_last in range(y_first, mesh.rows)
    ]


@pytest.mark.parametrize("config", PRESETS.values(), ids=PRESETS)
def test_every_preset_is_free_of_deadlock(config):
    check_network(config.mesh, dimension_order, packet_flits=tile_packet_flits(config))


def test_trees_reach_each_tile_of_any_rectangle_once():
    for source in nodes(OBLONG):
        if source.kind is NodeKind.TILE:
            for area in all_areas(OBLONG):
                # every tile by as many routers as its distance says
                edges = walk_tree(OBLONG, row_then_columns, source, area)
                links = {wanted for _, wanted in edges if wanted[3]}
                for x, y in area.tiles():
                    assert ((x, y) == (source.x, source.y)) or any(
                        (x, y) == wanted[:2] for wanted in links
                    )
                columns = {x for x, _ in area.tiles()}
                row = len(range(min(*columns, source.x), max(*columns, source.x) + 1)) - 1
                rows = {y for _, y in area.tiles()}
                column = len(range(min(*rows, source.y), max(*rows, source.y) + 1)) - 1
                assert len(links) == row + column * len(columns)


def test_a_few_rectangles_stand_for_all():
    """The check walks ``areas`` only: no other rectangle may wait for what they do not."""
    edges = set()
    for source in nodes(OBLONG):
        if source.kind is NodeKind.TILE:
            for area in all_areas(OBLONG):
                edges |= walk_tree(OBLONG, row_then_columns, source, area)
    known = {
        ((held.x, held.y, held.port, held.inward), (wanted.x, wanted.y, wanted.port, wanted.inward))
        for held, all_wanted in tree_dependencies(OBLONG).items()
        for wanted in all_wanted
    }
    assert edges == known
    assert len(areas(OBLONG)) < len(all_areas(OBLONG))


def test_trees_that_close_circles_with_the_routing_are_caught():
    assert find_cycle(tree_dependencies(OBLONG, column_then_rows)) is None
    with pytest.raises(DeadlockError, match="dimension_order must not let channels wait in a cyc"):
        check_network(OBLONG, dimension_order, packet_flits=13, tree=column_then_rows)


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (half_deaf, r"must reach each tile once, but reaches \[\] from tile 0 to tiles \(1, 0\)"),
        (overshooting, r"must stay inside the mesh and not turn back, but leaves by EAST of rou"),
        (turning_back, r"must stay inside the mesh and not turn back, but leaves by NORTH of ro"),
    ],
)
def test_trees_that_go_astray_are_caught(tree, message):
    with pytest.raises(DeadlockError, match=f"{tree.__name__} {message}"):
        check_network(OBLONG, dimension_order, packet_flits=13, tree=tree)


def test_packets_fit_the_buffers():
    with pytest.raises(
        DeadlockError, match=r"router_fifo_depth must hold a whole packet .* not 16"
    ):
        check_network(OBLONG, dimension_order, packet_flits=17)
    with pytest.raises(ValueError, match="depth must hold a whole packet to tiles of 5 flits, not"):
        TreeRouter(flit_bytes=4, depth=4, packet_flits=5)


def small(depth, *, address_bits=40, array=4, packet=512):
    return ChipConfig(
        name="small",
        tile=TileConfig(array_rows=array, array_cols=array, scratchpad_kib=64, accumulator_kib=64),
        mesh=MeshConfig(cols=2, router_fifo_depth=depth, max_packet_bytes=packet),
        host=HostConfig(address_bits=address_bits),
    )


@pytest.mark.parametrize(
    ("config", "rows", "flits"),
    [
        # three flits of header; two; one
        (small(16), 10, 13),
        (small(16, array=8), 11, 13),
        (small(16, array=16), 12, 13),
        # a buffer too small for header, row and the credits on their way
        (small(4), 1, 4),
        (small(4, array=8), 1, 3),
        (small(8, array=8), 3, 5),
        # as long as other packets, at most
        (small(64, array=64, packet=1024), 15, 16),
    ],
)
def test_sizes_of_packets(config, rows, flits):
    assert (tile_packet_rows(config), tile_packet_flits(config)) == (rows, flits)
    room = config.mesh.router_fifo_depth
    assert flits + CREDIT_LOOP <= room or rows == 1


def test_a_mesh_whose_buffers_hold_no_packet_to_tiles_is_not_made():
    with pytest.raises(DeadlockError, match=r"whole packet to tiles of 5 flits.* not 4"):
        Mesh(small(4, address_bits=64))
    # with one tile there are none
    config = small(4, address_bits=64)
    assert Mesh(replace(config, mesh=MeshConfig())).packet_flits == 0


@pytest.mark.parametrize("address_bits", [16, 32, 40, 64])
def test_headers_take_the_place_of_other_headers(address_bits):
    assert (
        Shape.cast(TileWriteHeader).width
        <= Shape.cast(RequestHeader(address_bits=address_bits)).width
    )
    # the first flit tells the way, however narrow, and the mark is no port
    assert Shape.cast(Rectangle).width <= 32
    assert TileWriteHeader.as_shape()["rectangle"].offset == 0
    mark, port = Rectangle.as_shape()["mark"], NodeAddress.as_shape()["port"]
    assert (mark.offset, mark.width) == (port.offset, port.width)
    assert TO_TILES not in {port.value for port in RouterPort}
