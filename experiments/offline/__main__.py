"""`python -m experiments.offline history=random agent=ddqn twin=lstm`: learn from a fixed history, and compare."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agents.offline import NoEnv
from agents.registry import import_modules
from experiments.commands import command
from experiments.config.agents import (
    check_agent,
    check_conservative,
    check_roles,
    maker,
    on_device,
    with_head,
)
from experiments.config.parts import make_scenario, make_twin
from experiments.config.quoting import as_typed
from experiments.offline.checks import about_export
from experiments.offline.earlier import EarlierTwin
from experiments.offline.histories import RECORDED, check_history, make_history
from experiments.offline.run import OfflineTraining
from experiments.offline.settings import OfflineConfig
from experiments.runs.lifecycle import files_left
from experiments.runs.process import finished_before
from slicing_gym.action import ActionCodec


def prepare(config: OfflineConfig, folder: Path) -> Callable[[], object]:
    """The run of a configuration, checked.

    Raises:
        ValueError, TypeError: something is not allowed; the message names the key, the value and what is.
    """
    import_modules(config.imports)
    config.agent = on_device(config.agent, config.device)
    scenario, twin = make_scenario(config.scenario), make_twin(config.twin, config.device)
    codec: ActionCodec | None = None
    check_history(config.history)
    check_cell(config)
    recorded = config.history in RECORDED
    history = None if recorded else make_history(config.history, scenario, config.seed, config.decisions)
    if history is not None:  # a file has a scenario of its own
        scenario, codec = history.scenario, history.layout.codec
    kind = scenario.reward.kind if config.reward is None else config.reward
    sums = kind == "utility" and config.algorithm.uncertainty != "penalty"
    listed = history is not None and history.layout.held  # a factored head knows all allocations, not some
    config.agent = with_head(config.agent, None if listed else sums)
    _check_agents(config, NoEnv(scenario, codec), twin is not None)
    if history is None:
        history = make_history(config.history, scenario, config.seed, config.decisions)
    changes: dict[str, Any] = {**config.algorithm.agent, **(config.algorithm.agent_1 if twin else {})}
    roles = {"history": {**changes, "buffer_size": len(history)}, "twin": config.algorithm.agent_2}
    earlier = None if twin is None or recorded else EarlierTwin.next_to(config.history)
    training = OfflineTraining(
        maker(config.agent, config.seed, roles),
        history,
        twin,
        config,
        folder,
        config.seed,
        name=config.agent.name,
        own_seed=config.seed if recorded else None,
        resume=config.resume is not None,
        trust=config.trust,
        estimator=config.agent,
        source=config.history,
        earlier=earlier,
    )
    return (lambda: finished_before(folder)) if training.finished else (lambda: _run(training))


def _run(training: OfflineTraining) -> None:
    """Learn, and print what that brought; first, that it will not be exported, and what the verdict is not of."""
    earlier = training.earlier
    if unexported := about_export(training.history.layout):
        print(f"note: {unexported}", flush=True)
    if earlier is not None and training.twin is not None:
        print("".join(f"{line}\n" for line in earlier.before(training.twin)), end="", flush=True)
    result = training.run()
    lines = [] if earlier is None or result.twin is None else earlier.after(result.twin)
    print("\n".join([result.report(), *lines]))
    print(f"written to {os.path.relpath(training.folder)}: {files_left(training.folder)}")


def check_cell(config: OfflineConfig) -> None:
    """Refuse an evaluation on the cell that a recorded history is of."""
    if config.history in RECORDED and config.seed in config.evaluation.seeds:
        raise ValueError(f"evaluation.seeds: {config.seed} is the cell that the history is of (seed)")


def _check_agents(config: OfflineConfig, spaces: NoEnv, with_twin: bool) -> None:
    """Refuse settings of the agent, and changes of them, that make no sense."""
    algorithm = config.algorithm
    check_agent(config.agent, spaces)
    check_conservative(config.agent, algorithm.conservative_weight)
    check_roles(config.agent, spaces, {"agent": algorithm.agent}, {})
    if with_twin:
        roles = {"agent_1": algorithm.agent_1, "agent_2": algorithm.agent_2}
        check_roles(config.agent, spaces, roles, {"agent_1": ("learning_starts", "train_freq")})


def how_to_go_on(config: OfflineConfig, folder: Path) -> str:
    """What to type after Ctrl-C."""
    del config
    return f"type the command again with resume=auto {as_typed('hydra.run.dir', folder)}"


if __name__ == "__main__":
    command(
        "offline",
        OfflineConfig,
        prepare,
        lists=("imports",),
        main_key="history",
        how_to_go_on=how_to_go_on,
        check_seed=check_cell,
    )
