"""Tests of ratekit.coordination without a service."""
