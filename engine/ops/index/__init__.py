"""Elements by position or mask: reading, writing, sorting, searching."""
