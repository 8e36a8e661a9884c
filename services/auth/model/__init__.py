"""The rules of auth: tokens, grants of a credential, signing keys; no I/O, no framework."""
