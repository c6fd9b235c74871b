"""Everything a build needs, looked at before it is needed: nothing is published or decided.

`checkup` runs the checks side by side; the other modules each look at one part of the world.
"""

from orchestrator.doctor.checkup import HealthDoors, Subject, diagnose
from orchestrator.doctor.repair import repairs

__all__ = ["HealthDoors", "Subject", "diagnose", "repairs"]
