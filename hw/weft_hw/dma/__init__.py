"""DMA engines of a tile: transfers between memory and scratchpad, and between scratchpads.

```
 command -> decode -> (split) -> pattern -> transfer -- requests --> load.py   READs
                                    |           |           `------> store.py  WRITEs
                                 gather.py    in_flight.py, ring.py: ends in order -> Done

 load.py:  responses -> scratchpad, fills (fill.py) and columns (transpose.py) beside them
 store.py: scratchpad -> packets to memory or to tiles (tile_*.py)
```

Commands end in order, but those at different endpoints move their data beside each other, and fills
overtake what is in flight: one that reads or overwrites what another still moves needs a semaphore
between them.
"""
