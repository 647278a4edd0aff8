"""Campaigns: the whole system under stress. Our scenarios, the faults they meet, what must hold, and histories.

It uses `swaplab.stress` and everything below; nothing below knows of it. docs/campaigns.md tells how to add one.
"""

from .disturbed_engine import Disturbance, DisturbedEngine
from .fault_plan import FaultPlan, PlanError, PointFault
from .scenarios import PLANS, SCENARIOS

__all__ = [
    "SCENARIOS",
    "PLANS",
    "Disturbance",
    "DisturbedEngine",
    "FaultPlan",
    "PlanError",
    "PointFault",
]
