"""A rehearsal of compose.yaml and the image where no container engine is at hand.

Builds the image's file system by the Dockerfile's own steps on a base made of this machine's Python,
runs every process of compose.yaml in it (its user, read-only root, its variables, its health check),
Kafka by deploy/kafka/start.sh, and lets the stock mlflow client make the journey through the gateway.
Linux, as root: `.venv/bin/python -m tools.rehearse`.
"""
