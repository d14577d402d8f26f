"""`python -m experiments.tools.animate <run or baseline>`: an episode of a policy as a GIF, or its end."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from experiments.evaluate import check_policies, from_elsewhere, load_policy, make_cells, trained_in
from experiments.evaluate.policies import label_policies
from experiments.evaluate.wrapped import WrappedAgent
from experiments.reporting.names import display_name
from experiments.reporting.output import steady_output
from slicing_gym import Scenario, get_scenario
from slicing_gym.errors import check_integer
from slicing_gym.files import atomic_write

_COLOURS = 64
"""Of the palette: the pictures have few, and a file shrinks with them."""


def frames(
    policy: str, scenario: Scenario, seed: int, every: int = 1, trust: bool = False
) -> list[npt.NDArray[np.uint8]]:
    """Pictures (height, width, 3) of an episode, one after the reset and one every so many decisions.

    Args:
        policy: a baseline's name, units like 1-94-5, a run's folder or an agent's file.
        scenario: of the cell.
        seed: of the cell.
        every: decisions between two pictures.
        trust: let an agent's file run code.

    Raises:
        ValueError: there is no such policy; the message names what is allowed.
    """
    check_integer("every", every, at_least=1)
    check_policies([policy], scenario)
    bare = make_cells(scenario, 1)  # where the one-step oracle looks ahead; the other one draws
    chosen = load_policy(policy, scenario, bare, 1, trust=trust)
    cells: Any = chosen.make_wrapped_cells(1) if isinstance(chosen, WrappedAgent) else bare
    env = gym.make("SliceRAN-v0", scenario=scenario, reward="utility", render_mode="rgb_array")
    env.set_wrapper_attr("policy_name", display_name(label_policies([policy])[policy]))
    env.reset(seed=seed)
    observations, _ = cells.reset(seed=[seed])
    pictures = [np.asarray(env.render())]
    for number in range(1, scenario.decisions_per_episode + 1):
        actions = np.asarray(chosen.predict(observations, deterministic=True)[0])
        env.step(actions.item())
        observations = cells.step(actions)[0]
        if number % every == 0:
            pictures.append(np.asarray(env.render()))
    env.close()
    return pictures


def scenario_to_draw(policy: str, given: str | None) -> Scenario:
    """The scenario that was given, a preset's name or a YAML file; else that of the policy's run; else diurnal.

    Raises:
        OSError, ValueError: there is none; the message names what is allowed.
    """
    if given is not None:
        return Scenario.load(given) if given.endswith((".yaml", ".yml")) else get_scenario(given)
    own = trained_in(policy)
    return get_scenario("diurnal") if own is None else own


def write_gif(path: str | Path, pictures: list[npt.NDArray[np.uint8]], width: int = 720, seconds: float = 0.12) -> None:
    """Write pictures as an animation that starts again after two seconds at its end, atomically.

    Args:
        path: of the file.
        pictures: uint8 (height, width, 3).
        width: of the animation in pixels.
        seconds: that a picture stays.
    """
    from PIL import Image

    small = [Image.fromarray(each) for each in pictures]
    height = round(small[0].height * width / small[0].width)
    small = [each.resize((width, height), Image.Resampling.LANCZOS) for each in small]
    palette = small[-1].quantize(_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)  # it has all colours
    same = [each.quantize(palette=palette, dither=Image.Dither.NONE) for each in small]
    durations = [round(seconds * 1000)] * (len(same) - 1) + [2000]
    with atomic_write(Path(path)) as file:
        same[0].save(file, "GIF", save_all=True, append_images=same[1:], duration=durations, loop=0, optimize=True)


def write_png(path: str | Path, picture: npt.NDArray[np.uint8]) -> None:
    """Write one picture, uint8 (height, width, 3), atomically."""
    from PIL import Image

    with atomic_write(Path(path)) as file:
        Image.fromarray(picture).quantize(_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
            file, "PNG", optimize=True
        )


@steady_output()
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m experiments.tools.animate", description=__doc__)
    parser.add_argument("policy", help="a baseline, units like 1-94-5, a run's folder, or an agent's file")
    parser.add_argument(
        "--scenario", help="of the cell: a preset, or a YAML file (default: the run's own; without a run diurnal)"
    )
    parser.add_argument("--seed", type=int, default=100, help="seed of the cell (default: %(default)s)")
    parser.add_argument(
        "--every", type=int, default=4, help="number of decisions between two pictures (default: %(default)s)"
    )
    parser.add_argument("--width", type=int, default=720, help="width of the picture in pixels (default: %(default)s)")
    parser.add_argument(
        "--output",
        default="episode.gif",
        help="file to write: a GIF, or a PNG of the end of the episode (default: %(default)s)",
    )
    options = parser.parse_args()
    try:
        scenario, output = scenario_to_draw(options.policy, options.scenario), Path(options.output)
        if output.suffix not in (".gif", ".png"):
            raise ValueError(f"output: {options.output!r} given, allowed are names that end in .gif or .png")
        pictures = frames(options.policy, scenario, options.seed, options.every)
        if output.suffix == ".gif":
            write_gif(output, pictures, options.width)
        else:
            write_png(output, pictures[-1])
    except (ValueError, OSError, gym.error.DependencyNotInstalled) as error:
        raise SystemExit(f"error: {error}") from None
    print(*from_elsewhere([options.policy], scenario), f"written: {os.path.relpath(output)}", sep="\n")


if __name__ == "__main__":
    main()
