"""Tests of the gateway over auth, on real PostgreSQL, Kafka and Redis."""
