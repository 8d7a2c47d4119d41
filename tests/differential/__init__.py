"""Comparison of the hashmap's arithmetic with CloudKitty's own class."""
