"""Random access to the frames of a video, independent of its container's metadata."""
