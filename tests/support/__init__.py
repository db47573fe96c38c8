"""What several test modules share: doubles of services, and a stage for what is tested."""
