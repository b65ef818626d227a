"""`python -m oauthdeploy` is `oauthdeploy`."""

from oauthdeploy.cli import main

if __name__ == "__main__":
    main()
