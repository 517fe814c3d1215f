"""Kernels: validated operations on device buffers, and layers built from them."""
