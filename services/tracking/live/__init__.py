"""Live events: what is committed to runs, handed to everybody who listens to them here."""
