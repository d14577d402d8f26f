"""The linear autoregression: settings, closed form and compiled step."""

from twin.models.autoregressive.settings import AutoregressiveSettings
from twin.models.registry import register_transition

__all__ = ["AutoregressiveSettings"]

register_transition(AutoregressiveSettings)
