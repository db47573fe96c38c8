"""Who is calling (authenticate), and what callers may see and do (authorize)."""
