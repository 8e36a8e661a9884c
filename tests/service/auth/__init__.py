"""Tests of auth on real PostgreSQL and Kafka."""
