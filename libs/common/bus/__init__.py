"""Kafka: the only place that speaks to it."""
