"""The toy server is beside the package, and no part of it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
