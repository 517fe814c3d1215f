"""Systolic array and matmul engine."""
