"""Reads the zip file of a workflow: manifest, template, instructions and files, with everything that is wrong in it."""
