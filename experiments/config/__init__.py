"""From a composed configuration to typed settings and parts."""
