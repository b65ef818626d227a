"""`--target` and `--exclude`: a glob that matches nothing at all is a slip, and is refused with what was meant."""

from __future__ import annotations

import pytest

from oauthdeploy.core.errors import UsageError
from oauthdeploy.planning.identities import Names
from oauthdeploy.planning.selection import require_known

from .builders import association, client, desired, live

KNOWN = [client("web-shop"), client("web-shop", "rs"), association("web-shop", "orders.read")]
NAMES = Names(desired(KNOWN), live())


@pytest.mark.parametrize(
    "pattern", ["client/web-shop@as", "client/web-shop", "client/*", "*@rs", "association/web-shop:*"]
)
def test_a_glob_that_matches_an_object_is_sound(pattern: str) -> None:
    """With and without its server, and whether or not the object changes."""
    require_known([("--target", pattern), ("--exclude", pattern)], KNOWN, NAMES)


def test_a_glob_that_matches_nothing_is_wrong_usage() -> None:
    """Each is named with its flag, beside what was most likely meant; one that matches excuses no other."""
    with pytest.raises(UsageError) as caught:
        require_known([("--target", "client/*"), ("--exclude", "client/web-shp@as"), ("--exclude", "x")], KNOWN, NAMES)
    assert caught.value.exit_code == 64
    assert "--exclude 'client/web-shp@as'" in caught.value.detail
    assert "--exclude 'x'" in caught.value.detail
    assert "--target" not in caught.value.detail
    assert "client/web-shop@as" in caught.value.fix
