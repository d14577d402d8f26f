"""What a network was told to do and what came of it: histories, logs, recorders."""
