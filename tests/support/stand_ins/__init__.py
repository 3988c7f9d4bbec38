"""What the stand-ins of providers have in common: serving, faults, rate windows, pictures."""

from tests.support.stand_ins.faults import Fault
from tests.support.stand_ins.server import StandIn

__all__ = ["Fault", "StandIn"]
