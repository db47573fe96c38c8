"""Where post-processing finds the runs, and the members of the list of them."""

RUNS_DIR = "runs"
RUNS_FILE = "runs.json"
PARA_RUNS = "runs"
LABEL_ID = "id"
LABEL_NAME = "name"
LABEL_FILES = "files"
