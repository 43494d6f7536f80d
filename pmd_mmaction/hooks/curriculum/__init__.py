"""Phases, their students and their learning rates."""
