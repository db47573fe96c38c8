"""Workflow templates: what organisers declare, and how it is read, checked and filled in."""
