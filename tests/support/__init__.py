"""What tests stand on: doubles of AWS, HTTP by hand, random data, and runs that are made up."""
