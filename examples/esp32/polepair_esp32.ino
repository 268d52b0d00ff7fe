// ESP32, Arduino core 2 or 3, PubSubClient 2.8: phase currents and voltages of a drive, a thousand rows a second in messages of
// fifty. Not run on hardware; tests compile it against stand-ins and feed what it prints to polepair's decoder.
#include <PubSubClient.h>
#include <WiFi.h>

#define TOPIC "polepair/1/esp1/"
#define BIRTH                                                                                                          \
    "{\"polepair\":1,\"device\":\"esp1\",\"streams\":{\"fast\":{\"format\":\"json\","                                  \
    "\"channels\":[\"ia\",\"ib\",\"u_alpha\",\"u_beta\"],\"period\":0.001}}}"

float da = 0.5, db = 0.5, dc = 0.5, u_dc = 24;  // duty cycles, 0 to 1, and bus voltage [V]: your own PWM writes them
WiFiClient net;
PubSubClient mqtt(net);
uint32_t boot, n;
char text[4096];

float amps(int pin) { return (analogReadMilliVolts(pin) - 1650) * 0.02; }  // your own sensor: 1.65 V is 0 A, 50 mV/A

void setup() {
    WiFi.begin("network", "password");
    boot = (esp_random() >> 1) + 1;  // another one after each start: with a constant, what comes after one may be dropped
    mqtt.setServer("broker.example", 1883);
    mqtt.setBufferSize(sizeof text + 64);  // its own 256 bytes would drop each message without a word
}

void loop() {
    if (!mqtt.connected() && (!mqtt.connect("esp1") || !mqtt.publish(TOPIC "birth", BIRTH, true))) return delay(1000);
    long long began = esp_timer_get_time();  // [us]; polepair counts in ns
    int at = snprintf(text, sizeof text, "{\"t\":%lld,\"n\":%lu,\"boot\":%lu,\"dt\":1000000,\"s\":[", began * 1000,
                      (unsigned long)n++, (unsigned long)boot);
    for (int k = 0; k < 50; k++) {
        while (esp_timer_get_time() - began < 1000LL * k) {
        }
        at += snprintf(text + at, sizeof text - at, "%s[%.3f,%.3f,%.3f,%.3f]", k ? "," : "", amps(34), amps(35),
                       u_dc * (2 * da - db - dc) / 3, u_dc * (db - dc) / 1.7320508);
    }
    snprintf(text + at, sizeof text - at, "]}");
    mqtt.publish(TOPIC "t/fast", text);
    mqtt.loop();
}
