"""Facts of runs → events → messages → teams. By protocol-typed doors."""
