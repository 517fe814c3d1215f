"""Memory endpoint: read and write packets to AXI4 bursts."""
