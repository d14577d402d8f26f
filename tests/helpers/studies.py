"""Folders as sweeps leave them, without the learning: summaries, episodes, configurations, states."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import yaml

from experiments.runs import checkpoint
from experiments.runs.status import Status, write_status
from slicing_gym import get_scenario

RATES, TWINS, SEEDS = (0.01, 0.001, 0.0001), ("none", "lstm"), (0, 1, 2)


def config_of(rate=0.001, twin="none", seed=0, scenario="paper-1mhz", agent="ddqn", **changes):
    """A composed configuration, shortened; a twin has settings that go with it."""
    settings = {"name": twin, "memory_size": 32} if twin != "none" else None
    return {
        "scenario": get_scenario(scenario).to_dict(),
        "agent": {"name": agent, "_target_": "agents.DDQN", "head": "dense", "learning_rate": rate},
        "twin": {"transition": settings},
        "seed": seed,
        "decisions": 600,
        "reward": "utility",
        "without_twin": False,
        "evaluation": {"seeds": [100, 101], "decisions": 20},
        **changes,
    }


def figures_of(rate, twin, seed):
    """Figures that nobody would get by chance from others: by name, and the utility of three episodes."""
    generator = np.random.default_rng([int(1 / rate), TWINS.index(twin), seed])
    utility = np.sort(generator.uniform(5.0, 8.0, 3))
    reached = None if twin == "none" and seed == 2 else int(generator.integers(1, 4))
    numbers = {"utility": generator.uniform(7, 8), "regret": generator.uniform(10, 900)}
    return {**numbers, "reward_at_c_max": 0.5, "episodes_to_goal": reached, "cpu_seconds": 7.25}, utility


def leave_run(folder, rate=0.001, twin="none", seed=0, scenario="paper-1mhz", agent="ddqn", config=None, **changes):
    """A run that is done; `changes` are to its summary."""
    folder.mkdir(parents=True)
    figures, utility = figures_of(rate, twin, seed)
    own = config_of(rate, twin, seed, scenario, agent) if config is None else config
    method = agent + ("" if twin == "none" else f"-dt{'' if twin == 'lstm' else f'-{twin}'}")
    summary = {"scenario": scenario, "agent": method, "twin": twin, "head": "dense", "seed": seed, "decisions": 600}
    (folder / "summary.json").write_text(json.dumps({**summary, **figures, "config": own, **changes}))
    with (folder / "episodes.csv").open("w") as file:
        rows = [[n + 1, 200, f"{each:.6f}", f"{each / 10:.6f}"] for n, each in enumerate(utility)]
        csv.writer(file).writerows([["episode", "decisions", "utility", "reward_at_c_max"], *rows])
    return folder


def leave_hydra(folder, config, overrides):
    """What Hydra leaves when a run begins."""
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(overrides))
    (folder / ".hydra" / "hydra.yaml").write_text(yaml.safe_dump({"hydra": {"job": {"name": "train"}}}))


def leave_sweep(folder, rates=RATES, twins=TWINS, seeds=SEEDS):
    """A sweep of which every run is done; its folders by rate, twin and seed."""
    jobs, folders = [], {}
    for rate in rates:
        for twin in twins:
            for seed in seeds:
                name = f"agent.learning_rate-{rate}_twin-{twin}_seed-{seed}"
                overrides = ["+experiment=debug", f"agent.learning_rate={rate}", f"twin={twin}", f"seed={seed}"]
                jobs.append({"number": len(jobs), "overrides": overrides, "folder": name})
                folders[rate, twin, seed] = leave_run(folder / name, rate, twin, seed)
                leave_hydra(folder / name, config_of(rate, twin, seed), overrides)
                write_status(folder / name, Status("done", "train", tuple(overrides), seconds=21.0))
    arguments = ["-m", "+experiment=debug", f"agent.learning_rate={','.join(map(str, rates))}", "twin=none,lstm"]
    swept = {"command": "train", "arguments": arguments, "swept": ["agent.learning_rate", "twin", "seed"]}
    (folder / "sweep.json").write_text(json.dumps({**swept, "jobs": jobs}))
    return folders


FAULT = 'CUDA <b>error</b> in 50 % of_runs & "more"'


def break_sweep(folders):
    """Of six runs one each has failed, was refused, left a checkpoint alone, is missing, dead, and damaged."""
    failed, refused, unfinished, missing, dead, damaged = list(folders)[:6]
    for each in (failed, refused, unfinished, dead):
        (folders[each] / "summary.json").unlink()
    said = {key: json.loads((folders[key] / "status.json").read_text())["overrides"] for key in folders}
    write_status(folders[failed], Status("failed", "train", tuple(said[failed]), FAULT, "Traceback <lines>"))
    write_status(folders[refused], Status("refused", "train", tuple(said[refused]), "seed: 0 is refused"))
    shutil.rmtree(folders[refused] / ".hydra")
    (folders[unfinished] / "status.json").unlink()
    checkpoint.write(folders[unfinished] / checkpoint.FILE, {}, {})
    shutil.rmtree(folders[missing])
    write_status(folders[dead], Status("running", "train", tuple(said[dead])))
    (folders[damaged] / "summary.json").write_text('{"scenario": "pap')
    states = ("failed", "refused", "unfinished", "missing", "dead", "unreadable")
    return dict(zip(states, (failed, refused, unfinished, missing, dead, damaged), strict=True))
