"""The published language: every fact that crosses a service's border, one file a producer."""
