"""Run ctrip as `python -m ctrip`."""

from ctrip.cli.main import main

main()
