"""The data files of users: arrays by name, scales, and what looks odd about them."""
