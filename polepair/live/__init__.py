"""The operational twin: streams, sources, MQTT, stores, sinks and the observer over them."""
