"""In-memory twins of the doors, for tests and simulations; they keep the same contracts."""
