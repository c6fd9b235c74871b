"""Frozen data and pure rules: names, the hierarchy, fingerprints, plans, runs and events.

Nothing here reads a file, a clock, the environment or the network.
"""
