"""What pictures call policies, agents and lower baselines, whose names in tables and settings are codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

_NAMES = {
    "hard": "hard slicing",
    "best_fixed": "best fixed",
    "one_step_oracle": "one-step oracle",
    "dqn": "DQN",
    "ddqn": "DDQN",
    "gan_ddqn": "GAN-DDQN",
    "sb3_dqn": "SB3 DQN",
    "sb3_qrdqn": "SB3 QR-DQN",
    "sb3_ppo": "SB3 PPO",
    "behaviour_cloning": "behaviour cloning",
    "best_in_data": "best in the data",
}
_TWINS = {
    "": "with a twin",
    "-planner": "with a twin",
    "-transformer": "with a transformer twin",
    "-transformer-planner": "with a transformer twin",
}
"""By what follows `-dt` in the name of a method."""


def display_name(method: str) -> str:
    """A method in words: of `ddqn-dt` "DDQN with a twin"; one that is not known as it is.

    What follows a blank or a bracket, such as a seed, is kept.
    """
    code, blank, more = method.partition(" ")
    base, twin, kind = code.partition("-dt")
    if not twin:
        return _NAMES.get(code, code) + blank + more
    if kind not in _TWINS:
        return method
    return f"{_NAMES.get(base, base)} {_TWINS[kind]}{blank}{more}"


def display_names(methods: Iterable[str]) -> dict[str, str]:
    """The methods of one picture in words, by their names there; no two are called the same.

    Where an agent is there after random decisions as well as after a planner's, the former is said to have a random
    start.
    """
    given = list(dict.fromkeys(methods))
    found = {method: display_name(method) for method in given}
    counts = Counter(found.values())
    for method, name in found.items():
        code, blank, more = method.partition(" ")
        if counts[name] > 1 and "-dt" in code and not code.endswith("-planner"):
            found[method] = f"{display_name(code)}, random start{blank}{more}"
    counts = Counter(found.values())
    return {method: name if counts[name] == 1 else method for method, name in found.items()}
