"""`python -m swaplab` is `swaplab`."""

from swaplab.cli import main

if __name__ == "__main__":
    main()
