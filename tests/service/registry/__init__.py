"""The registry on real PostgreSQL and Kafka, with tracking and auth played by a stand-in."""
