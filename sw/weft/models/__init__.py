"""Real networks on the device."""
