"""The polepair command."""
