"""Which periods are due, in which batches, and which process rates them."""
