"""Reverse-mode differentiation: the tape and its sweep, and what in-place writes do to it."""
