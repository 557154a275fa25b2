"""What a shop's program asks a gateway, over its API: aio.py with a loop, sync.py without one."""
