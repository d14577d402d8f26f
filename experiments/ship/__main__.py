"""`python -m experiments.ship` says the command's new name."""

if __name__ == "__main__":
    raise SystemExit("experiments.ship has a new name: python -m experiments.tools.ship")
