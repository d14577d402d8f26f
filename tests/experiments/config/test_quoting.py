"""Paths with commas, blanks, quotes, brackets, `=`: as Hydra reads them, alone, in lists, and as they are printed."""

from __future__ import annotations

import shlex
import typing
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from experiments.benchmark_suite.__main__ import LISTS as OF_BENCHMARK
from experiments.benchmark_suite.settings import BenchmarkSuiteConfig
from experiments.config.files import with_files
from experiments.config.hydra import composed, first_composed, register, settings_of, with_lists, without_hydra
from experiments.config.quoting import as_typed, pieces, quoted, unquoted
from experiments.evaluate.settings import EvaluateConfig
from experiments.inspect.__main__ import LISTS as OF_INSPECT
from experiments.offline.__main__ import how_to_go_on
from experiments.sweeps.expand import expand
from slicing_gym import get_scenario

ODD = ["a, b=c", "it's", 'say "no"', "[x](1){2}", "back\\slash\\", "${seed}", "é ü", "null", "1.10", "a'b\"c,"]
TEXTS = st.text(alphabet="ab\\'\"$,{}=[]() :é", max_size=8)


def read(argument):
    """What Hydra makes of an argument."""
    return OverridesParser.create().parse_override(argument).value()


@given(TEXTS, TEXTS)
def test_what_is_quoted_is_read_back(text, other):
    for mark in ("'", '"'):
        assert unquoted(quoted(text, mark=mark)) == text
        assert pieces(f"{quoted(text, mark=mark)},{quoted(other)}") == [quoted(text, mark=mark), quoted(other)]
    as_hydra_reads = quoted(text, interpolate=True)
    assert read(f"key={as_hydra_reads}") == text
    assert read(f"key=[{as_hydra_reads},{quoted(other, interpolate=True)}]") == [text, other]


@given(st.text(alphabet="ab\\$,{}=[]() :é", min_size=1, max_size=8).filter(lambda text: text == text.strip()))
def test_what_a_sweep_writes_is_read_back(text):
    sweep = OverridesParser.create().parse_override(f"key=choice({quoted(text, interpolate=True)},b)")
    written = next(sweep.sweep_string_iterator())
    assert pieces(written) == [written]
    assert unquoted(written) == text


def test_a_sweep_over_files_with_any_name(tmp_path):
    names = [tmp_path / each for each in ("a b.yaml", "c, (d)=[e].yaml", "f.yaml")]
    for path in names:
        path.write_text(yaml.safe_dump(get_scenario("paper-1mhz").replace(name=path.stem).to_dict()))
    register("evaluate", EvaluateConfig)
    runs = expand([f"scenario=choice({','.join(quoted(str(path)) for path in names)})"], {})
    found = [composed("evaluate", with_files("evaluate", run.overrides)).scenario.name for run in runs]
    assert found == [path.stem for path in names]


@pytest.mark.parametrize("text", ODD)
def test_what_a_command_prints_can_be_pasted(text):
    register("export", typing.get_type_hints(import_module("experiments.export.__main__").prepare)["config"])
    (argument,) = shlex.split(as_typed("policy", text))
    assert without_hydra(composed("export", [argument])).policy == text
    (line,) = shlex.split(how_to_go_on(None, Path(text)))[-1:]
    assert composed("export", [line]).hydra.run.dir == text


@pytest.mark.parametrize(("command", "key"), [("evaluate", "policy"), ("inspect", "log"), ("landscape", "agents")])
def test_lists_hold_any_path(command, key):
    main = import_module(f"experiments.{command}.__main__")
    schema = typing.get_type_hints(main.prepare)["config"]
    register(command, schema)
    (argument,) = shlex.split(as_typed(key, *ODD))
    config = without_hydra(composed(command, with_lists([argument], main.LISTS)))
    assert getattr(settings_of(config, schema), key) == ODD


def test_what_is_not_quoted_is_what_it_was():
    assert with_lists(["log=it's.csv,b c.csv"], OF_INSPECT) == ["log=['it\\'s.csv','b c.csv']"]
    assert pieces("a,,'b'") == ["a", "", "'b'"]
    assert as_typed("log", "runs/a-1.csv", "b.csv") == "log=runs/a-1.csv,b.csv"


@pytest.mark.parametrize(
    "typed",
    [
        "agent.gamma=0.5,agent.net_arch=[64,64],+agent.kwargs={a: 1, b: 2}",
        "[agent.gamma=0.5,agent.net_arch=[64,64],+agent.kwargs={a: 1, b: 2}]",
        "[ agent.gamma=0.5, 'agent.net_arch=[64,64]', +agent.kwargs={a: 1, b: 2} ]",
        "['agent.gamma=0.5','agent.net_arch=[64,64]','+agent.kwargs={a: 1, b: 2}']",
        "agent.gamma=0.5,\"agent.net_arch=[64,64]\",'+agent.kwargs={a: 1, b: 2}'",
    ],
)
def test_overrides_in_a_list_hold_lists_and_mappings(typed):
    register("benchmark_suite", BenchmarkSuiteConfig)
    config = without_hydra(composed("benchmark_suite", with_lists([f"own.overrides={typed}"], OF_BENCHMARK)))
    assert config.own.overrides == ["agent.gamma=0.5", "agent.net_arch=[64,64]", "+agent.kwargs={a: 1, b: 2}"]


@pytest.mark.parametrize("around", ["{}", "[{}]"])
@pytest.mark.parametrize(
    "first",
    ["a.x='a,b'", 'a.x=["b]",c]', "+a.kwargs={b: 'x,y', c: [d,\"e\"]}", r"a.x=['it\'s, ok','c']", "a.x=['],[']"],
)
def test_quotes_inside_overrides_hold_commas_and_brackets(first, around):
    register("benchmark_suite", BenchmarkSuiteConfig)
    typed = around.format(f"{first},agent.gamma=0.5")
    config = without_hydra(composed("benchmark_suite", with_lists([f"own.overrides={typed}"], OF_BENCHMARK)))
    assert config.own.overrides == [first, "agent.gamma=0.5"]


def test_what_hydra_reads_and_what_brackets_do_not_join_stays():
    for typed in ("log=[a,b]", "log=[a],[b]", "log=[]", "log=null", "log=[a=1"):
        assert with_lists([typed], OF_INSPECT) == [typed]
    assert with_lists(["log=a[1,b"], OF_INSPECT) == ["log=['a[1','b']"]
    assert with_lists(["log=a='1,b"], OF_INSPECT) == ["log=['a=\\'1','b']"]


def test_files_of_a_choice_lie_anywhere(tmp_path):
    file = tmp_path / "my, own = [1].yaml"
    mine = get_scenario("paper-1mhz").replace(name="mine").to_dict()
    file.write_text(yaml.safe_dump(mine))
    register("evaluate", typing.get_type_hints(import_module("experiments.evaluate.__main__").prepare)["config"])
    for mark in ("'", '"'):
        arguments = with_files("evaluate", [f"scenario={quoted(str(file), mark=mark)}", "policy=hard"])
        assert composed("evaluate", [arguments[0]]).scenario.name == "mine"
    assert with_files("fidelity", [f"mapping={quoted(str(file))}"]) == [f"mapping_file={quoted(str(file))}"]


@pytest.mark.parametrize("name", ODD)
def test_folders_of_choices_lie_anywhere(name, tmp_path):
    (tmp_path / name / "scenario").mkdir(parents=True)
    mine = get_scenario("paper-1mhz").replace(name="mine").to_dict()
    (tmp_path / name / "scenario" / "own.yaml").write_text(yaml.safe_dump(mine))
    register("evaluate", EvaluateConfig)
    found = first_composed("evaluate", ["scenario=own", "--config-dir", str(tmp_path / name)])
    assert found.scenario.name == "mine"
