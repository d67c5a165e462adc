"""Stateless runs and their plans: execute a program, remember it, replay it."""
