"""DMA engines of a tile: strided transfers between memory and scratchpad.

```
 command -> decode -> pattern -> transfer ---- requests --> load.py   (READs; responses -> scratchpad rows)
                                    |                       store.py  (scratchpad rows -> WRITEs; acknowledgements)
                                  ring: what is in flight, in order -> Done
```
"""
