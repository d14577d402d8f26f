"""From a log of traffic to a scenario of the simulator, and to a twin of the arrivals; a picture of both loads."""

from experiments.traffic.run import TrafficResult, traffic
from experiments.traffic.settings import Settings

__all__ = ["Settings", "TrafficResult", "traffic"]
