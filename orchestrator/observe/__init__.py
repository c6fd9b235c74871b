"""What is read of files, registries and upstreams before anything is decided."""
