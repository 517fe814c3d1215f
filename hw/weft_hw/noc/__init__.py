"""On-chip network: packets, routers, links, the mesh."""
