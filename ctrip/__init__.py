"""ctrip: a self-hosted payment gateway for EVM chains."""
