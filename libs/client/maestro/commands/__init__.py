"""The commands, a module a group; each adds its commands to a typer app."""
