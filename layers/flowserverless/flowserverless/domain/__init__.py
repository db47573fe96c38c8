"""The rules of runs, templates and rankings: standard library only, no AWS, no clock, no randomness."""
