"""`python -m myosono.cli`."""

from myosono.cli.main import main

main()
