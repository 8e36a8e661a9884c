"""Loading and saving models and versions on a connection inside the caller's transaction."""
