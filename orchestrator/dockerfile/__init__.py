"""Dockerfile text → the names of the images its target stage stands on.

``stages`` reads, ``parents`` walks. What BuildKit would take for a stage, an image or a mistake
is taken for the same here; where versions of BuildKit differ, the older one decides. Syntax is
`e2b_dockerfile_utils`' business; what a stage reaches is ours.

Source: moby/buildkit, frontend/dockerfile/dockerfile2llb/convert.go and instructions/parse.go;
the doubtful cases in tests/test_dockerfile.py were tried on engine 26.1.5.
"""

from orchestrator.dockerfile.parents import DockerfileParents, NamedParent, named_parents
from orchestrator.dockerfile.stages import Finding

__all__ = ["DockerfileParents", "Finding", "NamedParent", "named_parents"]
