"""What programs may import: a table of names for each module, all functions with costs. ``importable`` lists them."""
