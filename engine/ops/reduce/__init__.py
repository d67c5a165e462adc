"""Fewer elements from many: sums, extrema, scans, statistics, norms."""
