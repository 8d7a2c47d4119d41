"""Which periods are due, in which batches, and who rates them."""
