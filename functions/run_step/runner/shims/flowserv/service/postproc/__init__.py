"""The files of the ranked runs that a post-processing workflow reads."""
