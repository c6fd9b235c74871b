"""Build, publish and rebuild a hierarchy of container images."""

__version__ = "0.1.0"
