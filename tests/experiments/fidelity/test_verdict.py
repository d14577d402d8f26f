"""What a twin may be used for, by the figures of its evaluation."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from experiments.fidelity.report import as_lines
from experiments.fidelity.verdict import ANSWERS, ENOUGH, Evidence, verdicts
from experiments.reporting.statistics import Estimate
from slicing_gym import get_scenario

SCENARIO = get_scenario("paper-1mhz")
ARRIVALS, SSR = ([f"{part}_{name}" for name in SCENARIO.slice_names] for part in ("arrivals", "ssr"))
USES = ["what-if on the utility", "training an agent", *(f"the SSR of {name}" for name in SCENARIO.slice_names)]


def evidence(held_out=1000, new=0.9, parts=3, restricted=False, ssr=1.0, terms=None, held=None, starved=(), **changes):
    """Figures of a twin that is good in all; changes by `metric of variable`, None for a figure that is not there."""
    figures = {("R²", name, "twin"): Estimate(0.9, 0.05) for name in ("utility", *SSR)}
    figures |= {("R²", name, "persistence"): Estimate(-0.5, 0.1) for name in ("utility", *SSR)}
    figures |= {("CRPS", name, "twin"): Estimate(0.1, 0.01) for name in (*ARRIVALS, *SSR)}
    figures |= {("inside 90 %", name, "twin"): Estimate(0.9, 0.02) for name in (*ARRIVALS, *SSR)}
    for predictor in ("twin", "climatology"):
        figures |= {("distance after 200", name, predictor): Estimate(0.2, float("nan")) for name in ARRIVALS}
    for key, value in changes.items():
        metric, name, predictor = key.split("__")
        place = {"explained": "R²", "inside": "inside 90 %", "distance": "distance after 200", "crps": "CRPS"}
        figures[place.get(metric, metric), name, predictor] = value
    known = {key: value for key, value in figures.items() if value}
    means = dict.fromkeys(SCENARIO.slice_names, ssr)
    more = {"ssr": means, "terms": terms or {}, "held": held or {}, "starved": starved}
    return Evidence(known, SCENARIO, held_out, new, parts, restricted=restricted, **more)


def answers(given):
    return [each.answer for each in verdicts(given)]


def test_a_good_twin_goes_for_every_use():
    found = verdicts(evidence())
    assert [each.use for each in found] == USES
    assert {each.answer for each in found} == {"go"}
    assert found[0].reasons == ("R² of utility 0.90 ± 0.05: at least 85% of the variance is explained",)


@pytest.mark.parametrize(
    ("changes", "expected", "says"),
    [
        ({"explained__utility__twin": Estimate(0.6, 0.2)}, [1, 1, 0, 0, 0], "at least 40% of the variance"),
        ({"explained__utility__twin": Estimate(0.3, 0.4)}, [2, 2, 0, 0, 0], "it may explain nothing, and 70% at most"),
        (
            {"explained__utility__twin": Estimate(0.02, 0.11)},
            [2, 2, 0, 0, 0],
            "it may explain nothing, and 13% at most",
        ),
        ({"explained__utility__twin": Estimate(0.02, 0.05)}, [3, 3, 0, 0, 0], "it may explain nothing, and 7% at most"),
        ({"explained__utility__persistence": Estimate(0.95, 0.1)}, [3, 3, 0, 0, 0], "than the last value explains"),
        ({"explained__utility__twin": None}, [3, 3, 0, 0, 0], "its mapping needs ssr and spectral_efficiency"),
        ({"explained__ssr_video__twin": Estimate(0.2, 0.3)}, [0, 0, 0, 2, 0], "R² of ssr_video 0.20 ± 0.30"),
        (
            {"explained__ssr_video__twin": Estimate(float("nan"), 0.0)},
            [0, 0, 0, 1, 0],
            "always met (1000 of 1000 decisions): nothing says what would break it",
        ),
        (
            {"explained__ssr_video__twin": Estimate(float("nan"), 0.0), "ssr": 0.0},
            [0, 0, 0, 2, 0],
            "never met (0 of 1000 decisions): the bound may be wrong",
        ),
        ({"explained__ssr_video__twin": Estimate(float("nan"), 0.0), "ssr": 0.7}, [0, 0, 0, 1, 0], "it hardly changes"),
        (
            {"terms": {"ssr_video": 0.001, "spectral_efficiency": 0.999}},
            [1, 1, 0, 0, 0],
            "99.9% of the utility's variance is spectral efficiency: check the unit of the rate and se_weight",
        ),
        (
            {"terms": {"ssr_video": 0.995, "spectral_efficiency": 0.005}},
            [1, 1, 0, 0, 0],
            "99.5% of the utility's variance is ssr video: check se_weight and the SLAs",
        ),
        ({"terms": {"ssr_video": 0.1, "spectral_efficiency": 0.9}}, [0, 0, 0, 0, 0], ""),
        ({"explained__ssr_video__twin": None, "crps__ssr_video__twin": None}, [0, 0, 0, 3, 0], "there is no SSR"),
        ({"inside__ssr_video__twin": Estimate(0.7, 0.1)}, [0, 1, 0, 1, 0], "only 70% of ssr_video lie in their 90 %"),
        (
            {"distance__arrivals_video__twin": Estimate(0.6, 0.0)},
            [0, 1, 0, 0, 0],
            "free runs end 0.40 std further off",
        ),
        ({"distance__arrivals_video__twin": Estimate(1.3, 0.0)}, [0, 3, 0, 0, 0], "distribution (arrivals_video)"),
        (
            {"crps__arrivals_video__persistence": Estimate(0.08, 0.01)},
            [0, 1, 0, 0, 0],
            "worse than by the last value (CRPS): arrivals_video 0.1 and 0.08 (by a factor of 1.25)",
        ),
        (
            {"crps__arrivals_video__twin": Estimate(39.0, 9.0), "crps__arrivals_video__persistence": Estimate(10, 1.0)},
            [0, 3, 0, 0, 0],
            "worse than by the last value (CRPS): arrivals_video 39 and 10 (by a factor of 3.9)",
        ),
        (
            {"crps__arrivals_video__twin": Estimate(39.0, 27.0), "crps__arrivals_video__persistence": Estimate(10, 1)},
            [0, 1, 0, 0, 0],
            "arrivals_video 39 and 10 (by a factor of 3.9)",
        ),
        ({"crps__arrivals_video__persistence": Estimate(0.0, 0.0)}, [0, 1, 0, 0, 0], "arrivals_video 0.1 and 0"),
        (
            {
                "crps__arrivals_video__twin": Estimate(9, 0),
                "crps__arrivals_video__persistence": Estimate(1, 0),
                "parts": 2,
            },
            [1, 1, 1, 1, 1],
            "arrivals_video 9 and 1 (by a factor of 9)",
        ),
        ({"crps__arrivals_video__persistence": Estimate(0.095, 0.01)}, [0, 0, 0, 0, 0], ""),
        ({"new": 0.1}, [1, 1, 0, 0, 0], "only 10% of the held-out decisions had allocations that the fit had not seen"),
        ({"new": 0.1, "restricted": True}, [0, 0, 0, 0, 0], ""),
        ({"held_out": 150}, [1, 1, 1, 1, 1], "only 150 decisions in 3 cells were held out"),
        ({"parts": 2}, [1, 1, 1, 1, 1], "only 1000 decisions in 2 cells were held out"),
        (
            {"parts": 2, "explained__utility__twin": Estimate(0.3, 4.0)},
            [2, 2, 1, 1, 1],
            "R² of utility 0.30 ± 4.00: 2 cells are too few to tell whether it explains anything",
        ),
        ({"parts": 2, "explained__utility__twin": Estimate(-0.3, 0.1)}, [3, 3, 1, 1, 1], "± 0.10: it explains nothing"),
        ({"distance__arrivals_video__twin": None}, [0, 1, 0, 0, 0], "is not measured (arrivals_video)"),
        ({"distance__arrivals_video__twin": Estimate(float("nan"), 0.0)}, [0, 1, 0, 0, 0], "(arrivals_video)"),
        (
            {"never held: inside 90 %__utility__twin": Estimate(0.5, 0.0)},
            [1, 1, 0, 0, 0],
            "of allocations left out 50%",
        ),
    ],
)
def test_each_figure_that_is_bad_makes_the_answers_worse_that_rest_on_it(changes, expected, says):
    given = evidence(**changes)
    assert [ANSWERS.index(answer) for answer in answers(given)] == expected
    assert any(says in line for line in as_lines(verdicts(given)))


def test_a_single_cell_has_no_interval_and_goes_with_care_at_best():
    """Certainty that two cells with a wide interval would not give either."""
    alone = {f"explained__{name}__twin": Estimate(0.9, float("nan")) for name in ("utility", *SSR)}
    found = verdicts(evidence(parts=1, **alone))
    assert {each.answer for each in found} == {"go with care"}
    assert found[0].reasons == (
        "R² of utility 0.90, without an interval",
        "only 1000 decisions in 1 cell were held out, so that no answer is better than 'go with care'",
    )
    assert answers(evidence(**alone)) == ["go with care"] * 5
    nothing = verdicts(evidence(parts=1, explained__utility__twin=Estimate(-0.1, float("nan"))))
    assert nothing[0].answer == "no-go"


def test_fewer_decisions_give_no_better_answer():
    unsure = {"explained__utility__twin": Estimate(0.02, 0.11)}
    for few, many in ((40, 198), (198, 4000)):
        given = [answers(evidence(held_out=number, parts=-(-number // 25), **unsure))[0] for number in (few, many)]
        assert given == ["cannot tell"] * 2
    alone = evidence(held_out=20, parts=1, explained__utility__twin=Estimate(0.02, float("nan")))
    assert answers(alone)[0] == "cannot tell"


def test_a_check_that_was_passed_is_no_reason_for_a_bad_answer():
    found = verdicts(evidence(explained__utility__twin=Estimate(-0.3, 0.1)))
    assert found[1].use == "training an agent"
    assert found[1].reasons == ("R² of utility -0.30 ± 0.10: it explains nothing",)


def test_what_holds_for_every_use_is_said_once():
    lines = as_lines(verdicts(evidence(held_out=ENOUGH - 1)))
    assert lines[0].startswith("verdict: only 199 decisions in 3 cells were held out")
    assert sum("were held out" in line for line in lines) == 1
    assert [line.strip() for line in lines if line.endswith(": go with care")] == [
        f"{use}: go with care" for use in USES
    ]
    assert as_lines(verdicts(evidence()))[0] == "verdict"


FALLS = "SSR falls with more units: {}__{}__twin"
HELD = {"volte": (3, 9), "video": (5, 14), "urllc": (2, 6)}


def moved(share, place="below", name="video", **more):
    """Figures of a log's twin that has an SSR fall with more units in this share of the states."""
    shares = {FALLS.format(each, slice_name): 0.0 for each in ("held", "below", "above") for slice_name in HELD}
    shares |= {FALLS.format(place, name): share}
    return evidence(held=HELD, **{key: Estimate(value, float("nan")) for key, value in shares.items()}, **more)


@pytest.mark.parametrize(
    ("given", "expected", "says"),
    [
        (moved(0.0), [0, 0, 0, 0, 0, 1], "nothing was measured there; the SSR that the twin expects at least"),
        (moved(0.09), [0, 0, 0, 0, 0, 1], "nothing was measured there"),
        (moved(0.97), [0, 1, 0, 0, 0, 3], "from fewer units than held: in 97% of the states the twin expects video"),
        (moved(0.97), [0, 1, 0, 0, 0, 3], r"agents are drawn to fewer units .* where the twin errs \(video\)"),
        (
            moved(0.97, "above"),
            [0, 0, 0, 0, 0, 3],
            "to more units than held: in 97% of the states .* video",
        ),
        (
            moved(0.2, "held"),
            [1, 1, 0, 1, 0, 1],
            r"\n    in 20% of the states the twin expects video to be served worse with more units, which cannot be\n",
        ),
        (moved(0.5, "held"), [1, 1, 0, 1, 0, 1], "in 50% of the states"),
        (moved(0.51, "held"), [1, 3, 0, 3, 0, 1], "in 51% of the states"),  # it contradicts physics more than not
        (
            moved(0.94, "held", starved=["video"]),
            [1, 1, 0, 1, 0, 1],
            r"in 94% of the states .*, which cannot be, unless a starved slice counts as met \(video\)\n",
        ),
        (moved(0.94, "held", starved=["urllc"]), [1, 3, 0, 3, 0, 1], r"which cannot be\n"),
        (moved(0.97, restricted=True), [0, 0, 0, 0, 0], ""),
        (moved(0.2, "held", restricted=True), [1, 1, 0, 1, 0], "in 20% of the states the twin expects video"),
    ],
)
def test_more_units_that_lower_an_ssr_make_answers_worse(given, expected, says):
    assert [ANSWERS.index(answer) for answer in answers(given)] == expected
    assert re.search(says, "\n".join(as_lines(verdicts(given))))


def test_a_verdict_says_by_how_much_more_units_lower_an_ssr():
    by = {
        f"SSR falls with more units, by: {place}__video__twin": drop for place, drop in (("held", 0.12), ("above", 0.3))
    }
    given = moved(0.2, "held", **{key: Estimate(value, float("nan")) for key, value in by.items()})
    lines = "\n".join(as_lines(verdicts(given)))
    assert "more units (by an SSR of 0.12 in the median), which cannot be" in lines


def test_a_logs_verdict_states_the_range_that_it_is_of():
    given = moved(0.0)
    lines = as_lines(verdicts(given), given.range)
    held = "volte 3 to 9, video 5 to 14, urllc 2 to 6"
    assert lines[1] == f"  within the units that the fit held: {held}. The fit saw nothing beyond"
    assert verdicts(given)[-1].use == "what-if beyond the units held"


def test_a_twin_of_arrivals_alone_has_a_verdict_on_nothing_else():
    of_arrivals = {key: value for key, value in evidence().figures.items() if key[1] in ARRIVALS}
    given = replace(evidence(), figures=of_arrivals, ssr={}, arrivals_alone=True)
    (good,) = verdicts(given)
    assert (good.use, good.answer) == ("the arrivals", "go")
    narrow = of_arrivals | {("inside 90 %", ARRIVALS[0], "twin"): Estimate(0.5, 0.02)}
    (careful,) = verdicts(replace(given, figures=narrow))
    assert (careful.answer, careful.reasons) == (
        "go with care",
        (f"only 50% of {ARRIVALS[0]} lie in their 90 % interval",),
    )
    assert as_lines([careful]) == ["verdict", "  the arrivals: go with care", f"    {careful.reasons[0]}"]
