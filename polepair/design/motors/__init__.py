"""Catalogue motors, one TOML file each."""
