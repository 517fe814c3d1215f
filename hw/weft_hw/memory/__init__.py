"""Scratchpad and accumulator memories."""
