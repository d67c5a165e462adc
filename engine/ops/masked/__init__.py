"""Ops that leave out the elements where a mask is false."""
