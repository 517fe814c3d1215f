"""The programmable half of the vector engine: microprograms over matrices."""
