"""Measurements into points, and what an instructor may want to look at."""
