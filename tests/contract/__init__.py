"""One class per interface, run over every real driver."""
