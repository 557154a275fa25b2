"""What a connection may do before it is a request: bounded in bytes, in number and in time."""
