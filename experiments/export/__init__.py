"""A policy as one ONNX file, verified to choose as it does: `export(policy, ...)`, and the command over it."""

from agents.deploy import export_policy  # noqa: F401  # first: what is missing is named with the extra of exports
from experiments.export.agreement import Agreement
from experiments.export.run import DisagreementError, ExportResult, PolicyExport, export
from experiments.export.settings import Settings
from experiments.export.source import Source

__all__ = ["Agreement", "DisagreementError", "ExportResult", "PolicyExport", "Settings", "Source", "export"]
