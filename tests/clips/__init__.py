"""Whole jobs over real clips."""
