"""The embedded servers: an OAuth authorization server and resource server with an admin API.

They speak the OAuth part of the Administrator API of webMethods Integration Server 10.11 and real OAuth 2.0, and exist for the
demo, for tests, and for people without an Integration Server. They are not production servers, and say so. Nothing here imports
the rest of oauthdeploy, except for the message about a missing extra.

    >>> from oauthdeploy.server import SeedUser, ServerConfig, start
    >>> with start(ServerConfig(role="both", data_dir=path, users=(admin,))) as running:
    ...     requests.get(running.url + "/admin/oauth/client", auth=("Administrator", password))
"""

from oauthdeploy.core.extras import needs_extra

with needs_extra("server", "`oauthdeploy.server`"):
    from oauthdeploy.server.app import create_app
    from oauthdeploy.server.config import SeedUser, ServerConfig
    from oauthdeploy.server.config_error import ConfigError
    from oauthdeploy.server.profile import Profile, load_profile
    from oauthdeploy.server.replay import profile_of_record
    from oauthdeploy.server.run import RunningServer, serve, start

__all__ = [
    "ConfigError",
    "Profile",
    "RunningServer",
    "SeedUser",
    "ServerConfig",
    "create_app",
    "load_profile",
    "profile_of_record",
    "serve",
    "start",
]
