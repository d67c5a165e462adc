"""Fourier transforms, what belongs to their bins, and transforms of short pieces."""
