"""Memory endpoint: network requests to an AXI4 manager."""
