"""What every daemon needs of its process: log levels and format, pid file, going to the background. No protocol, no cluster."""
