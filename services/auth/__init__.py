"""auth owns who you are: tenants, users, memberships, tokens and the keys principals are signed
with. It exchanges a credential for a short-lived signed principal, publishes the keys to verify
it, and tells everybody when a token is revoked. It keeps the first audit trail, of every fact of
every service. It does not decide what a caller may do to a run or a model: the service that owns
the resource does.
"""
