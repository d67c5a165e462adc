"""Use cases: what the service does, without a web framework."""
