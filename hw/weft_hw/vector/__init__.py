"""Vector engine."""
