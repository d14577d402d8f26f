"""Tables of students."""

from __future__ import annotations

from experiments.distill.report import StudentResult, student_tables


def test_tables_tell_what_students_keep_and_what_twins_are_worth():
    def result(teacher, seed, hidden, utility):
        return StudentResult("paper", "dense", teacher, seed, hidden, utility, 0.5, 0.9, 3, 100)

    results = [result("ddqn", 0, 0, 8.0), result("ddqn", 1, 0, 7.6)] + [
        result("ddqn-dt", seed, 0, 8.0) for seed in (0, 1)
    ]
    results += [result("ddqn", 0, 4, 7.2), result("ddqn", 1, 4, 7.22)]
    results += [result("ddqn-dt", 0, 4, 7.6), result("ddqn-dt", 1, 4, 8.0)]
    lines = student_tables(results[::-1]).splitlines()
    rows = {tuple(line.split()[:2]): line for line in lines if line.startswith("ddqn") and "2x4" in line.split()[:2]}
    assert "7.210 [7.200, 7.220]" in rows["ddqn", "2x4"]
    assert "0.925 [0.900, 0.950]" in rows["ddqn", "2x4"]
    assert "0.975 [0.950, 1.000]" in rows["ddqn-dt", "2x4"]
    assert any(line.startswith("ddqn-dt minus ddqn, students 2x4: 0.590 ") for line in lines)
    assert any(line.startswith("ddqn-dt minus ddqn, teachers: 0.200 ") for line in lines)
