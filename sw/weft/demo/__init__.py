"""The main job, end to end: a trained classifier on the simulated chip, checked bit for bit."""
