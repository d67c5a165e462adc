"""Endpoints: parse, call one use case, encode."""
