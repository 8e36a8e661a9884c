"""Tests of one service at a time, on real PostgreSQL, Redis and Kafka."""
