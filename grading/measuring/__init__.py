"""Measuring the handed-in models again: the trusted side, which knows the labels."""
