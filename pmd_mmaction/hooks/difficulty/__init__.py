"""The difficulty table in a training."""
