"""Hierarchy and observations in, a verdict and its reasons for every image out. Pure."""
