"""Charges as FOCUS 1.2, the FinOps Foundation's format of cost and usage."""
