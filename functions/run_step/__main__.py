"""Begins or ends a step in a container where this folder is executed as a program, as jobs of AWS Batch do as a zip."""

import sys

from runner import container

if __name__ == "__main__":
    sys.exit(container.main(sys.argv[1:]))
