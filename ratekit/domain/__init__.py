"""Values and arithmetic of rating: standard library only, no I/O."""
