"""Goldens: pure functions on numpy arrays, bit-exact."""
