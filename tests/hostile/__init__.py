"""Requests that mean harm, or look like it: what they are, what has to come of each, and what runs them."""
