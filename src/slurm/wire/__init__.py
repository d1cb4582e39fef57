"""The protocol: messages, framing, versions, credentials. Bytes, no sockets."""
