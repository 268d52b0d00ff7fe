"""Runs: the twin, its results, and sweeps over many cases."""
