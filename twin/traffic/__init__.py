"""Traffic of one's own network: from a log of arrivals to a twin of them, and to a scenario of the simulator."""

from twin.traffic.generative import TrafficTwin
from twin.traffic.log import TrafficLog, traffic_of
from twin.traffic.replay import Replay, replay
from twin.traffic.scenario import KEPT_OUT, scenario_from_log

__all__ = ["KEPT_OUT", "Replay", "TrafficLog", "TrafficTwin", "replay", "scenario_from_log", "traffic_of"]
