"""A tree of Dockerfiles → the ``hierarchy.yaml`` that somebody would have written for it.

In the order of the flow: ``ids`` (paths → names), ``facts`` (one Dockerfile's text), ``relations``
(which FROM means which image), ``versions`` and ``arguments`` (what FROM lines tell of registry,
versions and ARGs), ``context`` (where COPY finds its sources), ``guess`` (all of it together) and
``text`` (the file). Pure: the caller reads the tree, and compares the result with what ``load``
says of it.
"""

from orchestrator.infer.context import Tree
from orchestrator.infer.found import FoundImage, Inferred, LeftOut, Remark
from orchestrator.infer.guess import infer
from orchestrator.infer.text import hierarchy_text

__all__ = ["FoundImage", "Inferred", "LeftOut", "Remark", "Tree", "hierarchy_text", "infer"]
