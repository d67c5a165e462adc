"""Where sessions live between requests."""
