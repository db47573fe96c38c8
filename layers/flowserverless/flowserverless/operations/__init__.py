"""What happens: one file per verb, one function per noun. `cancel_run` is `cancel.run`."""
