"""How much memory is free, for what says beforehand that it cannot fit."""

import math

SMALL = 256e6  # bytes: below this nobody asks how much memory is free


def free_memory() -> float:
    """Bytes of memory that are free, infinite where the system does not tell."""
    try:
        with open("/proc/meminfo") as f:
            return next(1024.0 * float(line.split()[1]) for line in f if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return math.inf
