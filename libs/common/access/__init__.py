"""What a caller may do: permissions and roles as data, rights compiled from rules, and decisions.

auth keeps the rules and tells of them; the service that owns a resource decides with them.
"""
