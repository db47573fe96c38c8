"""Where things are kept: table.py draws the table, the other modules speak of runs, groups, workflows and files."""
