"""Checkpoints that survive whatever ends a run."""
