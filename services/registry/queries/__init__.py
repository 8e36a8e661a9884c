"""Questions to the registry, answered from the database straight to what goes out."""
