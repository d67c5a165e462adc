"""Tensors from nothing, from Python's numbers and lists, from random streams, and of other dtypes."""
