"""Runs one step of a run: fetches its inputs, runs its commands in a sandbox, delivers what they made."""
