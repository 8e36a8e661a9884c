"""What a tenant may use at once: rates on four tiers, requests under way, sizes of bodies.

Allowance is leased from Redis and spent in memory; without Redis a window of this process decides.
"""
