"""What developers run on the repository itself: checks, generated contracts and tables."""
