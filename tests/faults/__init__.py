"""Faults on purpose: crashes and broken networks neither lose nor double a cent.

Between ratekit and the real services of ``tests/stack`` and ``tests/databases`` stand an HTTP
proxy and a relay for databases that misbehave by a script; processes and servers are killed.
What is in the database afterwards is compared with what is there without any fault.
"""
