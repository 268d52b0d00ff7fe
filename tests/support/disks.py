"""Full disks."""

import pytest


def fill_up(path):
    """Writes until there is no room."""
    with pytest.raises(OSError), open(path, "wb", buffering=0) as f:
        while True:
            f.write(bytes(4096))
    return True
