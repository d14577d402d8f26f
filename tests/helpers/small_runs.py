"""Small finished runs, as training leaves them in a folder."""

from __future__ import annotations

from experiments.config.schemas import EvaluationSettings
from experiments.train import Algorithm1Settings, Settings, train
from twin import DigitalTwin, LstmSettings, PerformanceSettings, TrainingSettings


def small_run(folder, kind, *, twin=False, seed=0, collect=200, fine_tune=200, net_arch=(16,)):
    """Train an agent of this package for 200 decisions in the cell of "paper-1mhz"."""

    def make(env, role):
        return kind(
            "MlpPolicy",
            env,
            policy_kwargs={"net_arch": list(net_arch)},
            learning_starts=256 if role == "twin" else 50,
            batch_size=16,
            buffer_size=2_000,
            gamma=0.8,
            train_freq=1,
            gradient_steps=8 if role == "twin" else 1,
            target_update_interval=200,
            center_rewards=True,
            device="cpu",
        )

    algorithm = Algorithm1Settings(
        twin_decisions=2560,
        later_twin_decisions=1280,
        num_envs=64,
        selection_cells=4,
        selection_decisions=5,
        collect=collect,
        collect_by="random",
        fine_tune=fine_tune,
        warm_replay=200,
    )
    evaluation = EvaluationSettings(policies=[], seeds=[100, 101], decisions=20)
    settings = Settings(decisions=200, progress=False, algorithm=algorithm, evaluation=evaluation)
    small = DigitalTwin(LstmSettings(members=1), PerformanceSettings(members=2), TrainingSettings(max_epochs=2))
    return train(make, "paper-1mhz", small if twin else None, settings, folder, seed)
