"""Fuzzers: what anybody may send, type or save is tried at random, and has to be taken, or refused in one line."""

from experiments.tools.fuzz.cases import Fault, Fuzzer, Outcomes, fuzz

__all__ = ["Fault", "Fuzzer", "Outcomes", "fuzz"]
