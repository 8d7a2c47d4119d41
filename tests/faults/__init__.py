"""Injected faults: crashes and broken networks neither lose nor duplicate a charge.

ratekit reaches the real services of ``tests/stack`` and ``tests/databases`` through an HTTP proxy
and a database relay, which inject planned faults; processes and servers are killed. Afterwards the
database is compared with one that was rated without faults.
"""
