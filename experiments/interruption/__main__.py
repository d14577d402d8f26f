"""`python -m experiments.interruption` says the command's new name."""

if __name__ == "__main__":
    raise SystemExit("experiments.interruption has a new name: python -m experiments.tools.interruption")
