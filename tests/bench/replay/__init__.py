"""A Gnocchi that makes its answers up from memory, in a process of its own.

It is much cheaper than what reads it, so that only ratekit's own cost shows. What is asked
decides the answer: asking again, or in other pieces, returns the same.
"""
