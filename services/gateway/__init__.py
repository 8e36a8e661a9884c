"""The gateway is the front door: it finds a request's credential, exchanges it at auth for a signed
principal, routes by path and streams both bodies untouched. It owns no data and has no schema.
What a caller may do is decided by the service that owns the resource.
"""
