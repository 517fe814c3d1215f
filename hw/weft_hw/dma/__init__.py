"""DMA engines of a tile: strided transfers between memory and scratchpad.

```
 command -> decode -> pattern -> transfer -- requests --> load.py   READs; responses -> scratchpad
                                    |                     store.py  scratchpad -> WRITEs
                                  ring: what is in flight, in order -> Done
```

Commands end in order, but those at different endpoints move their data beside each other: one that
reads or overwrites what another still moves needs a semaphore between them.
"""
