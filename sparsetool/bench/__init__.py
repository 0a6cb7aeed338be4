"""Times two models against each other in turn, in processes of their own, and decides what is more than noise.

Nothing here loads the interpreter into the calling process.
"""

from sparsetool.bench.noise import Ratio, Spread, decide, spread
from sparsetool.bench.process import Setup
from sparsetool.bench.processor import Processor, this_processor
from sparsetool.bench.profile import OperatorTime, Profile, profile_operators
from sparsetool.bench.resident import resident_growth
from sparsetool.bench.rounds import QUANTITIES, Contestant, Measurements, measure

__all__ = [
    "QUANTITIES",
    "Contestant",
    "Measurements",
    "OperatorTime",
    "Processor",
    "Profile",
    "Ratio",
    "Setup",
    "Spread",
    "decide",
    "measure",
    "profile_operators",
    "resident_growth",
    "spread",
    "this_processor",
]
