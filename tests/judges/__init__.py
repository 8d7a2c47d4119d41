"""Programs of others that judge the API: each in a virtual environment of its own.

None of them can import ratekit, and ratekit none of them; they meet over HTTP.
"""
