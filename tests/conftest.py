"""What every test process needs of its surroundings."""

import signal

# A shell that starts `make test` in the background has it ignore ctrl-C, and every command that a test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
