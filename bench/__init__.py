"""One file for each figure that the README claims: `make bench` runs them all."""
