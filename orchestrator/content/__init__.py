"""What builds make: layers, configurations and indexes, compared and put right. Pure."""
