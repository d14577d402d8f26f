"""Settings of an agent, searched in twins with Optuna: `search(agent, space, ...)`, and the command over it."""

from experiments.search.found import Candidate, SearchResult
from experiments.search.pictures import study_pictures
from experiments.search.run import Search, search
from experiments.search.settings import Settings
from experiments.search.space import read_space

__all__ = ["Candidate", "Search", "SearchResult", "Settings", "read_space", "search", "study_pictures"]
