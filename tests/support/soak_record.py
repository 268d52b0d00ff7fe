"""`polepair` with journals of 32 KiB segments, which a small disk has room for: soak_record.py ARGUMENTS."""

from polepair.cli.main import main
from polepair.live import store
from polepair.live.recorder import Recorder


class Small(Recorder):
    """The same, smaller."""

    def __init__(self, *given):
        super().__init__(*given, segment_bytes=1 << 15)


store.Recorder = Small
if __name__ == "__main__":
    main()
