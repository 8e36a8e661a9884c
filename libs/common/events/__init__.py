"""How a fact leaves a service: unit of work, transactional outbox, message relay, envelope."""
