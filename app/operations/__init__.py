"""What compute processes do for the front: one function for each operation, by name."""
