"""The use cases of operators, as functions over storage and domain; commands call them."""
