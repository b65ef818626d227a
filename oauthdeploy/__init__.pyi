from oauthdeploy.core.version import __version__ as __version__
from oauthdeploy.workflow import *  # noqa: F403 - the list of the public names

__all__: list[str]
