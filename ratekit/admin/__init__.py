"""What operators do, as plain functions over storage and domain: commands are thin."""
