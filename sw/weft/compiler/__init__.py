"""The compiler: plans a matrix product for a chip, emits its commands, checks programs."""
