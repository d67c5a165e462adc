"""Elementwise functions, and what is known of tensors without looking at their elements."""
