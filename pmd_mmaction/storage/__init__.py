"""Atomic files, digests and errors of full disks."""
