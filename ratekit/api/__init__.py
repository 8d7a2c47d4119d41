"""The HTTP API, which CloudKitty's clients speak: a door onto the same functions as the commands.

Each file in ``v1/`` and ``v2/`` has the operations of one noun. An operation reads its arguments
into a model, calls a function of :mod:`ratekit.admin` or a method of
:mod:`ratekit.interfaces`, and returns plain values; everything around that is here.
"""
