"""The whole service on one machine: an emulated AWS, and the real template deployed onto it."""
