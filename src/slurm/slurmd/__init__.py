"""The node daemon; under stepd/ lives the supervisor of one step."""
