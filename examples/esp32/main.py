"""ESP32 with MicroPython and umqtt.simple: speed, bus current and bus voltage, fifty times a second. boot.py has joined
the network. Not run on hardware; tests run it on stand-ins for the board and feed what it sends to polepair's decoder.
"""

import os
import time

from machine import ADC, Pin
from umqtt.simple import MQTTClient

TOPIC = b"polepair/1/esp2/"
BIRTH = b'{"polepair":1,"device":"esp2","streams":{"fast":{"format":"json","channels":["omega_m","i_bus","u_dc"]}}}'
BOOT = int.from_bytes(os.urandom(3), "big") + 1  # another one after each start, never a constant
PULSES = 7  # a turn, of a Hall sensor: pole pairs
count = 0


def pulse(pin):
    """Counts; called by the pin."""
    global count
    count += 1


def message(n, omega_m, i_bus, u_dc):
    """One sample: rad/s, A, V."""
    values = (time.time_ns(), n, BOOT, omega_m, i_bus, u_dc)
    return b'{"t":%d,"n":%d,"boot":%d,"omega_m":%.4f,"i_bus":%.4f,"u_dc":%.3f}' % values


def run():
    """Connects, says what it is, and sends."""
    mqtt, current, voltage = MQTTClient("esp2", "broker.example", keepalive=60), ADC(Pin(34)), ADC(Pin(35))
    Pin(27, Pin.IN).irq(handler=pulse, trigger=Pin.IRQ_RISING)
    mqtt.connect()
    mqtt.publish(TOPIC + b"birth", BIRTH, True)
    n, before, began = 0, 0, time.ticks_us()
    while True:
        time.sleep_ms(20)
        now, counted = time.ticks_us(), count
        omega_m = 2 * 3.14159265 * (counted - before) / PULSES / (time.ticks_diff(now, began) * 1e-6)
        i_bus = (current.read_uv() * 1e-6 - 1.65) * 20  # your own sensor: 1.65 V is 0 A, 50 mV/A
        mqtt.publish(TOPIC + b"t/fast", message(n, omega_m, i_bus, voltage.read_uv() * 11e-6))  # divider 1:11
        n, before, began = n + 1, counted, now


if __name__ == "__main__":
    run()
