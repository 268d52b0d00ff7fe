"""What of a stream's messages was not taken, in words: why, what was expected and what came instead."""

import json
import re
from functools import cache
from typing import NamedTuple

from .. import _core
from ..errors import plain
from .streams import FORMATS, Stream

SHOWN = 60  # characters of a message, or of its list of keys
KEY = re.compile(r'"((?:[^"\\]|\\.)*)"\s*:')
PARTIAL = "without some of the channels"


class Refusal(NamedTuple):
    """A reason, how many messages it met, and what was expected and came: of the newest one, fit for a terminal."""

    reason: str
    count: int
    detail: str

    def __str__(self) -> str:
        return f"{self.count:,} {self.reason}" + (f" ({self.detail})" if self.detail else "")


@cache
def reasons() -> dict[str, str]:
    """The text of each reason, by its code in refusal.def."""
    return dict(_core.refusal_rows()[1:])


def refused(stats: dict) -> int:
    """Messages that were refused, whatever the reason, by the counters of a stream."""
    return sum(stats.get(text, 0) for text in reasons().values())


def refusals(stream: Stream) -> list[Refusal]:
    """Every reason for which messages were refused; then those that were taken without some of the channels."""
    stats, examples = stream.stats, stream.core.examples()
    told = [(code, text, stats[text], examples.get(text, b"")) for code, text in reasons().items() if stats.get(text)]
    if stats["partial"]:
        told.append(("KEYS", PARTIAL, stats["partial"], examples.get("accepted", b"")))
    return [Refusal(text, count, _detail(stream, code, example)) for code, text, count, example in told]


def _detail(stream: Stream, code: str, example: bytes) -> str:
    if code == "KEYS":
        came = keys_of(example) if stream.format.kind == "json" else []
        wanted = [k for k in expected(stream) if k not in came] if came else expected(stream)
        return f"expected {_some(wanted)}" + (f"; came {_some(came)}" if came else "")
    if code == "LARGE":
        return f"expected at most {stream.size_limit} bytes"
    if not example:
        return ""
    other = _other_format(stream.format.kind, example)
    seems = f"; expected {stream.format.kind}, and it looks like {other}" if other else ""
    wanted = f"; expected {len(stream.channels)} channels" if code == "COUNT" else ""
    return f"the newest: {_text(example)}{seems}{wanted}"


def expected(stream: Stream) -> list[str]:
    """The names by which messages of a stream give its channels."""
    renamed = {channel: name for name, channel in stream.format.names.items()}
    return [renamed.get(c, c) for c in stream.channels]


def keys_of(message: bytes) -> list[str]:
    """The keys of a JSON object, each once; of one that is cut, what looks like keys."""
    text = message.decode("utf-8", "replace")
    pairs: list = []
    try:
        json.loads(text, object_pairs_hook=lambda p: pairs.append(p) or {})
    except (ValueError, RecursionError):
        return list(dict.fromkeys(KEY.findall(text)))
    return list(dict.fromkeys(key for key, _ in pairs[-1])) if pairs else []  # the outermost ends last


def _some(names) -> str:
    return plain(", ".join(names), SHOWN) or "none"


def _text(message: bytes) -> str:
    """The beginning of a message: text where it is text, else bytes."""
    text = message.decode("utf-8", "replace")
    strange = sum(not c.isprintable() or c == "\N{REPLACEMENT CHARACTER}" for c in text)
    if 4 * strange > len(text):
        return f"{message[:8].hex(' ')}{' ...' if len(message) > 8 else ''}"
    return plain(text, SHOWN) or "nothing"


def _other_format(kind: str, message: bytes) -> str:
    """What a message looks like that is not of this format; empty where it is hard to say."""
    if kind != "json" and message.lstrip()[:1] in (b"{", b"["):
        return FORMATS[1]
    return FORMATS[0] if kind != "frame" and message[:2] == b"\x50\x01" else ""
