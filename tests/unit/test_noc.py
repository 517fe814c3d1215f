"""Packets, topology and the deadlock check; no simulator."""

from itertools import pairwise

import pytest
from amaranth.hdl import Shape
from weft_hw.config import MeshConfig
from weft_hw.noc.deadlock import Channel, DeadlockError, check_network, dependencies, find_cycle
from weft_hw.noc.mesh import Mesh
from weft_hw.noc.packet import (
    DataFlit,
    Flit,
    Headed,
    NodeAddress,
    RequestHeader,
    ResponseHeader,
    RouterPort,
)
from weft_hw.noc.router import Router
from weft_hw.noc.routing import dimension_order
from weft_hw.noc.sender import header_flits
from weft_hw.noc.topology import NodeKind, neighbour, nodes
from weft_hw.presets import PRESETS, preset
from weft_hw.verilog import to_verilog

SQUARE = MeshConfig(cols=3, rows=3, memory_endpoints=3)
OBLONG = MeshConfig(cols=3, rows=2, memory_endpoints=1)


def round_about(x, y, destination):
    """Clockwise round the middle router of a 3 x 3 mesh: every turn of the circle is taken."""
    there = (x == destination.x) & (y == destination.y)
    return [
        (there, destination.port),
        ((x == 1) & (y == 1) & (destination.x > x), RouterPort.EAST),
        ((x == 1) & (y == 1) & (destination.x < x), RouterPort.WEST),
        ((x == 1) & (y == 1) & (destination.y > y), RouterPort.SOUTH),
        ((x == 1) & (y == 1), RouterPort.NORTH),
        # into the middle
        ((x == 1) & (y == 0) & (destination.x == 1) & (destination.y == 1), RouterPort.SOUTH),
        ((y == 0) & (x < 2), RouterPort.EAST),
        ((x == 2) & (y < 2), RouterPort.SOUTH),
        ((y == 2) & (x > 0), RouterPort.WEST),
        (True, RouterPort.NORTH),
    ]


def two_orders(x, y, destination):
    """Y first to half of the nodes, X first to the others: each is sound, together they are not."""
    y_first = (destination.x ^ destination.y) & 1
    return [
        (y_first & (destination.y > y), RouterPort.SOUTH),
        (y_first & (destination.y < y), RouterPort.NORTH),
        *dimension_order(x, y, destination),
    ]


def lost(x, y, destination):
    """Forgets that there are rows and other ports than WEST."""
    return [*dimension_order(x, y, destination)[:2], (True, RouterPort.WEST)]


def whirl(x, y, destination):
    """Never arrives."""
    return [
        ((y == 0) & (x < 2), RouterPort.EAST),
        ((x == 2) & (y < 2), RouterPort.SOUTH),
        ((y == 2) & (x > 0), RouterPort.WEST),
        (True, RouterPort.NORTH),
    ]


def to_and_fro(x, y, destination):
    """Turns back at the middle column."""
    return [(x == 1, RouterPort.WEST), *dimension_order(x, y, destination)]


@pytest.mark.parametrize("config", PRESETS.values(), ids=PRESETS)
def test_every_preset_is_free_of_deadlock(config):
    check_network(config.mesh, dimension_order)


@pytest.mark.parametrize("routing", [round_about, two_orders])
def test_a_cyclic_routing_is_caught_and_the_cycle_named(routing):
    with pytest.raises(DeadlockError, match=rf"{routing.__name__} must not let .* in a cycle") as e:
        check_network(SQUARE, routing)
    cycle = str(e.value).split("but: ")[1].split(" -> ")
    assert len(cycle) >= 5
    assert cycle[0] == cycle[-1]
    known = {
        str(held): {str(c) for c in next_} for held, next_ in dependencies(SQUARE, routing).items()
    }
    for held, wanted in pairwise(cycle):
        assert wanted in known[held]


def test_a_mesh_with_a_cyclic_routing_is_not_made():
    config = preset("mesh16")
    with pytest.raises(DeadlockError, match="two_orders must not let channels wait"):
        Mesh(config, routing=two_orders)


@pytest.mark.parametrize(
    ("routing", "message"),
    [
        (
            lost,
            r"must end at the destination, but leaves by WEST of router \(0, 0\) on the way from",
        ),
        (to_and_fro, "must not send a packet back, but does by WEST of router"),
        (whirl, "must end, but goes round in a circle by"),
    ],
)
def test_routes_that_go_astray_are_caught(routing, message):
    with pytest.raises(DeadlockError, match=f"{routing.__name__} {message}"):
        check_network(SQUARE, routing)


def test_answers_of_a_node_join_the_planes():
    """An endpoint holds a request while it waits to answer, so a response that waits for a request
    channel would close a cycle; no response does.
    """
    graph = dependencies(SQUARE, dimension_order)
    request = Channel("request", 0, 1, RouterPort.WEST, inward=False)
    response = Channel("response", 0, 1, RouterPort.WEST, inward=True)
    assert graph[request] == {response}
    assert find_cycle(graph) is None
    for node in nodes(SQUARE):
        graph.setdefault(Channel("response", node.x, node.y, node.port, inward=False), set()).add(
            Channel("request", node.x, node.y, node.port, inward=True)
        )
    assert find_cycle(graph) is not None


@pytest.mark.parametrize(
    ("graph", "cycle"),
    [
        ({}, None),
        ({1: {2}, 2: {3}, 3: set()}, None),
        ({1: {2, 3}, 2: {4}, 3: {4}}, None),
        ({1: {1}}, [1]),
        ({0: {1}, 1: {2}, 2: {3}, 3: {1}}, [1, 2, 3]),
    ],
)
def test_find_cycle(graph, cycle):
    assert find_cycle(graph) == cycle


def test_nodes_have_their_own_ports_and_links_go_both_ways():
    for mesh in [*(config.mesh for config in PRESETS.values()), OBLONG]:
        places = [(node.x, node.y, node.port) for node in nodes(mesh)]
        assert len(set(places)) == len(places) == mesh.tiles + mesh.memory_endpoints + 1
        for place in places:
            assert neighbour(mesh, *place) is None
        for y in range(mesh.rows):
            for x in range(mesh.cols):
                for port in RouterPort:
                    far = neighbour(mesh, x, y, port)
                    assert far is None or neighbour(mesh, *far) == (x, y, port)
    tiles = [node for node in nodes(OBLONG) if node.kind is NodeKind.TILE]
    assert [(node.index, node.x, node.y) for node in tiles] == [
        (0, 0, 0),
        (1, 1, 0),
        (2, 2, 0),
        (3, 0, 1),
        (4, 1, 1),
        (5, 2, 1),
    ]


def test_an_oblong_mesh_elaborates_with_routers_of_the_ports_it_needs():
    config = preset("nano").replace_mesh(cols=3, rows=2, memory_endpoints=1)
    shared = to_verilog(Mesh(config), "mesh").shared
    ports = {name.rsplit("_", 1)[1] for name in shared}
    # north-west with control and endpoint, north, north-east, south-west, south, south-east
    assert ports == {"lnesw", "lesw", "lsw", "lne", "lnew", "lnw"}


def test_the_destination_is_whole_in_the_first_flit():
    width = Shape.cast(NodeAddress).width
    for header in (RequestHeader(address_bits=64), ResponseHeader):
        fields = dict(iter(header if not isinstance(header, type) else header.as_shape()))
        assert fields["destination"].offset == 0
    assert width <= 8 * 2


def test_layouts_have_the_documented_sizes():
    request = RequestHeader(address_bits=40)
    assert Shape.cast(request).width == 11 + 11 + 2 + 8 + 13 + 40
    assert Shape.cast(ResponseHeader).width == 11 + 11 + 2 + 4 + 2 + 32
    assert [header_flits(request, flit_bytes) for flit_bytes in (4, 8, 16)] == [3, 2, 1]
    assert [header_flits(ResponseHeader, flit_bytes) for flit_bytes in (4, 8, 16)] == [2, 1, 1]
    assert Shape.cast(Headed(request)).width == Shape.cast(request).width + 1
    assert Shape.cast(Flit(flit_bytes=8)).width == Shape.cast(DataFlit(flit_bytes=8)).width == 65


def test_a_router_of_one_port_is_refused():
    with pytest.raises(ValueError, match="ports must be at least two, not 1"):
        Router(flit_bytes=4, depth=4, ports=(RouterPort.LOCAL,))
