"""Planners as teachers: their students choose alike, and are what is exported; they themselves are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agents import SlicePolicy
from experiments.config.schemas import EvaluationSettings
from experiments.distill import Settings, distill
from experiments.export import Settings as ExportSettings
from experiments.export import export
from experiments.landscape import landscape
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.runs import SCENARIO, planner_run

EVALUATION = EvaluationSettings(policies=[], seeds=[100, 101], decisions=30)
SETTINGS = Settings(hidden=[8], updates=400, progress=False, evaluation=EVALUATION)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return planner_run(tmp_path_factory.mktemp("planner"), decisions=120)


@pytest.mark.parametrize("target", ["argmax", "soft"])
def test_a_student_keeps_what_the_planner_earns(teacher, target, tmp_path):
    result = distill(teacher.folder, replace(SETTINGS, target=target), tmp_path)
    own, student = result.results
    assert (own.teacher, own.head, own.parameters, own.agreement) == ("planner", "none", 0, 1.0)
    assert result.students[0].head_name == "factored"
    assert student.utility > own.utility - 0.3
    again = distill(teacher.folder, replace(SETTINGS, target=target), tmp_path, resume=True)
    assert again.results == result.results


def test_it_is_exported_through_a_student(teacher, tmp_path):
    student = distill(teacher.folder / "planner.safetensors", SETTINGS).students[0]
    file = export(student, ExportSettings(states=300, progress=False), tmp_path / "policy.onnx").write(
        tmp_path / "policy.onnx"
    )
    seen = teacher.history.arrivals[:20]
    chosen = [SlicePolicy(file.read_bytes()).decide(row).units for row in seen]
    wanted = student.predict((seen / SCENARIO.nominal_arrivals).astype(np.float32), deterministic=True)[0]
    assert len(chosen) == len(wanted)
    for policy in (teacher.folder, teacher.folder / "planner.safetensors", teacher.agent):
        with pytest.raises(ValueError, match=r"policy: '.*' is a planner, which is no network; allowed is a student"):
            export(policy)


def test_it_has_no_loss(teacher):
    with pytest.raises(ValueError, match=r"runs: '.*' is the run of a planner, which has no loss"):
        landscape(teacher.folder)
