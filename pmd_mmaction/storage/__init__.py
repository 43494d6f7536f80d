"""Files that are complete or not there."""
