"""`python -m triflow` is the command."""

from ._command import main

main()
