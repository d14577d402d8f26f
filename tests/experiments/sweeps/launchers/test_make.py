"""What `hydra/launcher=` chooses: the files of conf/hydra/launcher, and what is refused with a word."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from experiments.config.files import CONFIG_FOLDER
from experiments.config.hydra import register
from experiments.inspect.settings import InspectConfig
from experiments.sweeps.launchers import Launcher, LocalLauncher, make_launcher
from experiments.sweeps.launchers.make import NAMES
from experiments.sweeps.launchers.ray import RayLauncher
from experiments.sweeps.launchers.submitit import SubmititLauncher
from experiments.tools import fake_slurm


def chosen(*arguments: str) -> Launcher:
    """The launcher of a command line."""
    register("inspect", InspectConfig)
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        return make_launcher(compose("inspect", list(arguments), return_hydra_config=True).hydra.launcher)


def test_without_a_choice_as_many_run_at_a_time_as_there_are_cores():
    assert chosen() == LocalLauncher(-1)
    assert chosen("hydra/launcher=joblib", "hydra.launcher.n_jobs=2") == LocalLauncher(2)
    assert chosen("hydra/launcher=basic") == LocalLauncher(1)


@pytest.mark.parametrize(
    "command", sorted({path.stem for path in Path(CONFIG_FOLDER).glob("*.yaml")} - {"benchmark_suite"})
)
def test_every_command_has_the_same_default(command):
    lines = (Path(CONFIG_FOLDER) / f"{command}.yaml").read_text().splitlines()
    assert any(line.startswith("  - override hydra/launcher: joblib ") for line in lines)


def test_every_file_makes_a_launcher_that_its_settings_fit(tmp_path, monkeypatch):
    assert NAMES == ("basic", "joblib", "ray", "submitit_local", "submitit_slurm")
    for key, value in fake_slurm.install(tmp_path / "slurm").items():
        monkeypatch.setenv(key, value)
    local = chosen("hydra/launcher=submitit_local", "hydra.launcher.n_jobs=2", "hydra.launcher.timeout_min=5")
    assert isinstance(local, SubmititLauncher)
    assert (local.cluster, local.n_jobs, local.parameters["timeout_min"]) == ("local", 2, 5)
    slurm = chosen("hydra/launcher=submitit_slurm", "hydra.launcher.partition=gpu", "hydra.launcher.gpus_per_node=1")
    assert isinstance(slurm, SubmititLauncher)
    assert (slurm.cluster, slurm.parameters["partition"], slurm.parameters["time"]) == ("slurm", "gpu", 240)


def test_a_launcher_of_ray_is_made_where_ray_is_installed():
    pytest.importorskip("ray", reason='Ray is not installed: pip install "slicing-gym[ray]"')
    assert chosen("hydra/launcher=ray", "hydra.launcher.address=auto") == RayLauncher("auto", 1, 0, 3)


def test_a_plugin_with_a_name_of_ours_makes_hydra_warn_of_nothing():
    """Hydra would merge the plugin's settings with ours, and say so on every run."""
    other = OmegaConf.create({"_target_": "hydra_plugins.other.Launcher", "backend": "loky"})
    ConfigStore.instance().store(group="hydra/launcher", name="joblib", node=other)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert chosen() == LocalLauncher(-1)
        assert chosen("hydra/launcher=basic") == LocalLauncher(1)


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [("submitit_local", "submitit", "slurm"), ("submitit_slurm", "submitit", "slurm"), ("ray", "ray", "ray")],
)
def test_a_launcher_whose_extra_is_missing_says_which(name, module, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf'pip install "slicing-gym\[{extra}\]"'):
        chosen(f"hydra/launcher={name}")


def test_outside_a_cluster_slurm_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="submitit_slurm needs sbatch, srun, squeue, sacct, scontrol, scancel"):
        chosen("hydra/launcher=submitit_slurm")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"_target_": "hydra_plugins.other.Launcher"},
            "is a plugin for Hydra's own sweeps.* Allowed are basic, joblib",
        ),
        ({"_target_": "pathlib.PurePath"}, "makes no experiments.sweeps.launchers.Launcher"),
        ({"_target_": "experiments.sweeps.launchers.LocalLauncher", "n_jobs": 0}, "n_jobs: 0 given, allowed is 1 or"),
        (
            {"_target_": "experiments.sweeps.launchers.LocalLauncher", "n_jobs": 1.5},
            "n_jobs: 1.5 is not a whole number",
        ),
    ],
)
def test_what_is_no_launcher_is_refused(settings, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make_launcher(OmegaConf.create(settings))
