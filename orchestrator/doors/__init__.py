"""The outside world, behind protocols; each real door has an in-memory twin.

Both pass the same contract tests. Only the command line and the service put real doors together.
"""
