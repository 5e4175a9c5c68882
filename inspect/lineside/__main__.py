"""`python -m lineside` is `lineside`."""

from lineside.cli import main

main()
