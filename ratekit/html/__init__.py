"""How numbers, pages and charts look: no HTTP, no database."""
