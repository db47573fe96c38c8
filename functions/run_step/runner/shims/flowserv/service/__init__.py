"""What a step may use of flowServ's service."""
