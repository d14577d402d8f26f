from __future__ import annotations

import numpy as np
import pytest

from agents import search
from slicing_gym import Daily, Scenario, Simulator, allocation_table, even_split


@pytest.fixture
def moving(small: Scenario) -> Scenario:
    """Whose load depends on the moment of the episode."""
    return small.replace(slices={"data": {"traffic": {"active_users": Daily(0.1, 1.0, period_decisions=10.0)}}})


def listed(scenario: Scenario) -> tuple[np.ndarray, np.ndarray]:
    """Every allocation, and its utility summed over the cells and intervals of a search."""
    table = allocation_table(scenario.num_units, scenario.num_slices)
    total, hard = np.zeros(len(table)), even_split(scenario.num_units, scenario.num_slices)
    for number in range(96):
        cell = Simulator(scenario, [1_000_000 + number])
        for _ in range(1 + number * scenario.decisions_per_episode // 96):
            cell.advance(hard)
        for units, utilities in zip(table, total[:, None], strict=True):
            clone = cell.clone()
            utilities += sum(clone.advance(units).utility for _ in range(20))
    return table, total


def test_the_search_finds_the_best_of_all_allocations(small, moving):
    for scenario in (small, moving):
        table, total = listed(scenario)
        assert np.unique(total).size > 1
        assert search.search(scenario).tolist() == table[total.argmax()].tolist()


def test_threads_do_not_change_what_is_found(moving):
    assert search.search(moving, num_threads=3).tolist() == search.search(moving).tolist()


@pytest.mark.parametrize("there", [None, "{", '{"units": [[1]]}', '{"units": [1000000000000000000000]}', "[" * 100_000])
def test_what_cannot_be_written_or_read_is_searched_and_said(there, small, tmp_path, monkeypatch):
    small = small.replace(slices={"data": {"num_users": 1}, "calls": {"num_users": 1}})
    monkeypatch.setenv("SLICING_GYM_CACHE", str(tmp_path / "cache"))
    if there is None:
        (tmp_path / "cache").touch()  # a file where a folder would have to be, even for root
        with pytest.warns(RuntimeWarning, match=r"best_fixed: '.*' cannot be written \(.*\), so it will be"):
            assert search.best_fixed_allocation(small).tolist() == search.search(small).tolist()
        return
    search.cache_path(small).parent.mkdir()
    search.cache_path(small).write_text(there)
    assert search.best_fixed_allocation(small).tolist() == search.search(small).tolist()


def test_a_user_without_a_home_has_a_cache_that_nothing_is_kept_in(monkeypatch):
    for name in ("SLICING_GYM_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(search.Path, "home", no_home)
    assert not search.cache_folder().exists()
