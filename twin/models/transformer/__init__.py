"""The transformer: settings, network, weights and compiled step."""

from twin.models.registry import register_transition
from twin.models.transformer.settings import TransformerSettings

__all__ = ["TransformerSettings"]

register_transition(TransformerSettings)
