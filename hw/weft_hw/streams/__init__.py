"""Stream plumbing shared by all blocks."""
