"""Benchmarks: the numbers of the README's table, each measured by a function here."""
