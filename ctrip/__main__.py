"""Run ctrip as `python -m ctrip`."""

from ctrip.cli import main

main()
