"""Checking and shrinking collections of videos."""
