"""Frames of a video by their number, whatever its container says."""
