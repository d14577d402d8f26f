"""Dueling GAN-DDQN: the algorithm and its policy."""

from agents.gan_ddqn.gan_ddqn import DuelingGANDDQN
from agents.gan_ddqn.policies import GANPolicy

__all__ = ["DuelingGANDDQN", "GANPolicy"]
