"""Settlement on a real chain: deposits go to the treasury, once, whatever happens on the way."""
