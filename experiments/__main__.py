"""`python -m experiments <command> ...`: as the console script `slicing-gym`, which lists the commands."""

from experiments import main

if __name__ == "__main__":
    main()
