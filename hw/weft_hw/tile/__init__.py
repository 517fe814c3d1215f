"""The compute tile: engines, semaphores, command ingress."""
