"""The LSTM: settings, network, weights and compiled step."""

from twin.models.lstm.settings import LstmSettings
from twin.models.registry import register_transition

__all__ = ["LstmSettings"]

register_transition(LstmSettings)
