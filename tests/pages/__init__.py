"""ratekit's pages in a real browser, on a real cloud whose clock stands still."""
