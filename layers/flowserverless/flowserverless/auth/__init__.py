"""Who is calling (the authorizer), and what callers may see and do (permissions)."""
