"""The sketches for an ESP32: what they send is a birth and samples that polepair takes. They are compiled and run on
stand-ins for the board."""

import itertools
import re
import runpy
import subprocess
import sys
import time
import types

import numpy as np
import pytest

import polepair as pp
from polepair.live.refusals import refusals
from polepair.live.session import sensors_of
from polepair.live.streams import Stream
from polepair.live.wire import read_birth

ARDUINO = """
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static long long us = 5000000;
static long long esp_timer_get_time() { return us += 7; }
static uint32_t esp_random() { return (uint32_t)strtoul(getenv("RANDOM_NUMBER"), 0, 10); }
static int analogReadMilliVolts(int pin) { return pin == 34 ? 1700 : 1600; }
static void delay(int) {}
"""
WIFI = """
struct WiFiClient {};
struct WiFiClass { void begin(const char *, const char *) {} };
static WiFiClass WiFi;
"""
CLIENT = """
struct PubSubClient {
    bool up;
    size_t most;
    PubSubClient(WiFiClient &) : up(false), most(256) {}
    void setServer(const char *, int) {}
    bool setBufferSize(size_t size) { most = size; return true; }
    bool connected() { return up; }
    bool connect(const char *) { return up = true; }
    bool publish(const char *topic, const char *text, bool retained = false) {
        if (strlen(topic) + strlen(text) + 7 > most) return false;
        return printf("%s %d %s\\n", topic, retained, text) > 0;
    }
    void loop() {}
};
"""
RUN = "\nint main() { setup(); for (int k = 0; k < 4; k++) loop(); }\n"


@pytest.fixture(scope="module")
def sketch(root, tmp_path_factory):
    """The sketch as a program of this machine."""
    folder = tmp_path_factory.mktemp("esp32")
    for name, text in (("Arduino.h", ARDUINO), ("WiFi.h", WIFI), ("PubSubClient.h", '#include "WiFi.h"\n' + CLIENT)):
        (folder / name).write_text("#pragma once\n" + text)
    source = folder / "sketch.cpp"
    source.write_text(f'#include "Arduino.h"\n{(root / "examples/esp32/polepair_esp32.ino").read_text()}{RUN}')
    flags = ["-fno-exceptions", "-fno-rtti", "-Wall", "-Werror", f"-I{folder}"]
    subprocess.run(["clang", *flags, source, "-o", folder / "sketch"], check=True)
    return folder / "sketch"


def sent_by(sketch, random):
    done = subprocess.run([sketch], capture_output=True, text=True, check=True, env={"RANDOM_NUMBER": str(random)})
    return [re.fullmatch(r"(\S+) (\d) (.*)", said).groups() for said in done.stdout.splitlines()]


def stream_of(birth):
    info = read_birth(birth)["fast"]
    return Stream(info.channels, info.format)


def test_the_sketch_sends_what_polepair_takes(sketch):
    (topic, retained, birth), *samples = sent_by(sketch, 12345)
    assert topic == "polepair/1/esp1/birth" and retained == "1"
    stream = stream_of(birth.encode())
    for topic, _, text in samples:
        assert topic == "polepair/1/esp1/t/fast"
        stream.push(text.encode())
    rows = stream.read()
    assert refusals(stream) == [] and len(rows) == 4 * 50 and stream.stats["lost"] == 0
    assert set(np.diff(rows.time)[:49]) == {1_000_000} and (np.diff(rows.time) > 0).all()
    assert rows["ia"] == pytest.approx(1.0) and rows["ib"] == pytest.approx(-1.0)
    assert sensors_of(stream.channels) == "currents"


@pytest.mark.parametrize("random", [0, 1, 2**32 - 1])
def test_any_random_number_is_a_boot_number(sketch, random):
    _, *samples = sent_by(sketch, random)
    stream = Stream(("ia", "ib", "u_alpha", "u_beta"), "json")
    for _, _, text in samples:
        stream.push(text.encode())
    assert stream.stats["messages"] == 4 and stream.head == 200 and '"boot":0' not in samples[0][2]


def test_a_sketch_that_starts_again_loses_nothing(sketch):
    stream = Stream(("ia", "ib", "u_alpha", "u_beta"), "json")
    for random in (7, 70, 700):
        for _, _, text in sent_by(sketch, random)[1:]:
            stream.push(text.encode())
    assert stream.head == 600 and stream.stats["restarts"] == 2 and stream.stats["duplicates"] == 0


class Board:
    """What MicroPython has and Python lacks; what is published is kept, and after `most` messages the power goes."""

    def __init__(self, most):
        self.sent, self.most, self.handler, self.us = [], most, None, itertools.count(0, 5000)

    def modules(self):
        """Stand-ins by name."""
        board = self

        class Pin:
            IN, IRQ_RISING = 1, 2

            def __init__(self, number, mode=None):
                self.number = number

            def irq(self, handler, trigger):
                board.handler = handler

        class ADC:
            def __init__(self, pin):
                self.pin = pin

            def read_uv(self):
                return 1_750_000 if self.pin.number == 34 else 2_200_000

        class MQTTClient:
            def __init__(self, name, host, keepalive=0):
                pass

            def connect(self):
                pass

            def publish(self, topic, text, retain=False):
                board.sent.append((topic, text, retain))
                if len(board.sent) > board.most:
                    raise OSError("power")

        machine, umqtt, simple = (types.ModuleType(n) for n in ("machine", "umqtt", "umqtt.simple"))
        machine.ADC, machine.Pin, simple.MQTTClient = ADC, Pin, MQTTClient
        return {"machine": machine, "umqtt": umqtt, "umqtt.simple": simple}

    def sleep_ms(self, ms):
        """Seven pulses are a turn."""
        for _ in range(7):
            self.handler(None)


def run_main(root, monkeypatch, most=30):
    board = Board(most)
    for name, module in board.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(time, "sleep_ms", board.sleep_ms, raising=False)
    monkeypatch.setattr(time, "ticks_us", lambda: next(board.us), raising=False)
    monkeypatch.setattr(time, "ticks_diff", lambda a, b: a - b, raising=False)
    with pytest.raises(OSError, match="power"):
        runpy.run_path(str(root / "examples/esp32/main.py"), run_name="__main__")
    return board.sent


def test_the_micropython_file_sends_what_polepair_takes(root, monkeypatch):
    (topic, birth, retained), *samples = run_main(root, monkeypatch)
    assert topic == b"polepair/1/esp2/birth" and retained
    stream = stream_of(birth)
    for topic, text, _ in samples:
        assert topic == b"polepair/1/esp2/t/fast"
        stream.push(text)
    rows = stream.read()
    assert refusals(stream) == [] and len(rows) == 30 and stream.stats["lost"] == 0
    assert rows["omega_m"] == pytest.approx(2 * np.pi / 5e-3, rel=1e-5)
    assert rows["i_bus"] == pytest.approx(2.0) and rows["u_dc"] == pytest.approx(24.2)
    assert abs(rows.time[-1] - time.time_ns()) < 60e9 and sensors_of(stream.channels) == "speed"
    with pp.replay(
        {"time": np.arange(30) / 50, **{n: rows[n] for n in rows.channels}}, pp.load("outrunner-12s14p"), 0
    ) as live:
        while live.source.running:
            live.update(timeout=0.01)
    assert live.lacks == "" and live.values["est.omega_m"] > 0


def test_a_board_that_starts_again_loses_nothing(root, monkeypatch):
    stream = Stream(("omega_m", "i_bus", "u_dc"), "json")
    for _ in range(3):
        for _, text, _ in run_main(root, monkeypatch)[1:]:
            stream.push(text)
    assert stream.head == 90 and stream.stats["restarts"] == 2 and stream.stats["duplicates"] == 0
