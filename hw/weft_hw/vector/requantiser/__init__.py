"""The fixed half of the vector engine: accumulators to int8 or int32."""
