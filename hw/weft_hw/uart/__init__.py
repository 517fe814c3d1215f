"""A serial line as host: UART, frames, and the bridge that carries them out."""
