"""Libraries the services and tools share; each folder is one."""
