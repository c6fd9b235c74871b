"""Decisions in, a plan out; its file, its age, and the order of its steps. Pure."""
