"""What Keycloak 26.7 creates by itself, and what of its JSON no manifest can represent: read from a fresh realm of a real
26.7.3. Pure.

An export reports what differs from it, so that nothing is left out silently.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

CLIENT_SCOPES: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("acr", "basic", "email", "profile", "roles", "web-origins"), True),
    **dict.fromkeys(("address", "microprofile-jwt", "offline_access", "organization", "phone"), False),
}
"""The client scopes that a new client of a fresh realm gets: whether as a default one, else as an optional one."""

_DEFAULT: Final = frozenset(name for name, is_default in CLIENT_SCOPES.items() if is_default)
LISTS: Final = (_DEFAULT, frozenset(CLIENT_SCOPES) - _DEFAULT)
"""The same as the two lists of a realm."""

SERVICE_ACCOUNT: Final = "service_account"
"""The default client scope that is added and removed with a client's service account."""

CLIENT: Final[Mapping[str, Any]] = {
    "authorizationServicesEnabled": False,
    "nodeReRegistrationTimeout": -1,
    "surrogateAuthRequired": False,
}
"""Fields of a client that no manifest can represent."""

MAPPER: Final[Mapping[str, Any]] = {"protocol": "openid-connect"}
"""Fields of a protocol mapper that no manifest can hold."""

CLIENT_ATTRIBUTES: Final[Mapping[str, str]] = {
    "backchannel.logout.revoke.offline.tokens": "false",
    "backchannel.logout.session.required": "true",
    "realm_client": "false",
}
"""Attributes that Keycloak writes by itself, and that mean the same if they are absent."""

REALM: Final[Mapping[str, Any]] = {
    "accessCodeLifespanUserAction": 300,
    "actionTokenGeneratedByAdminLifespan": 43200,
    "actionTokenGeneratedByUserLifespan": 300,
    "adminEventsDetailsEnabled": False,
    "adminEventsEnabled": False,
    "adminPermissionsEnabled": False,
    "attributes.cibaAuthRequestedUserHint": "login_hint",
    "attributes.cibaBackchannelTokenDeliveryMode": "poll",
    "attributes.cibaExpiresIn": "120",
    "attributes.cibaInterval": "5",
    "attributes.oauth2DevicePollingInterval": "5",
    "attributes.parRequestUriLifespan": "60",
    "attributes.realmReusableOtpCode": "false",
    "browserFlow": "browser",
    "browserSecurityHeaders.contentSecurityPolicy": "frame-src 'self'; frame-ancestors 'self'; object-src 'none';",
    "browserSecurityHeaders.contentSecurityPolicyReportOnly": "",
    "browserSecurityHeaders.referrerPolicy": "no-referrer",
    "browserSecurityHeaders.strictTransportSecurity": "max-age=31536000; includeSubDomains",
    "browserSecurityHeaders.xContentTypeOptions": "nosniff",
    "browserSecurityHeaders.xFrameOptions": "SAMEORIGIN",
    "browserSecurityHeaders.xRobotsTag": "none",
    "bruteForceProtected": False,
    "bruteForceStrategy": "MULTIPLE",
    "clientAuthenticationFlow": "clients",
    "clientOfflineSessionIdleTimeout": 0,
    "clientOfflineSessionMaxLifespan": 0,
    "defaultSignatureAlgorithm": "RS256",
    "directGrantFlow": "direct grant",
    "dockerAuthenticationFlow": "docker auth",
    "duplicateEmailsAllowed": False,
    "editUsernameAllowed": False,
    "enabled": True,
    "enabledEventTypes": [],
    "eventsEnabled": False,
    "eventsListeners": ["jboss-logging"],
    "failureFactor": 30,
    "firstBrokerLoginFlow": "first broker login",
    "internationalizationEnabled": False,
    "loginWithEmailAllowed": True,
    "maxDeltaTimeSeconds": 43200,
    "maxFailureWaitSeconds": 900,
    "maxSecondaryAuthFailures": 0,
    "maxTemporaryLockouts": 0,
    "minimumQuickLoginWaitSeconds": 60,
    "oauth2DevicePollingInterval": 5,
    "organizationsEnabled": False,
    "otpPolicyAlgorithm": "HmacSHA1",
    "otpPolicyCodeReusable": False,
    "otpPolicyDigits": 6,
    "otpPolicyInitialCounter": 0,
    "otpPolicyLookAheadWindow": 1,
    "otpPolicyPeriod": 30,
    "otpPolicyType": "totp",
    "otpSupportedApplications": ["totpAppFreeOTPName", "totpAppGoogleName", "totpAppMicrosoftAuthenticatorName"],
    "permanentLockout": False,
    "quickLoginCheckMilliSeconds": 1000,
    "registrationAllowed": False,
    "registrationEmailAsUsername": False,
    "registrationFlow": "registration",
    "rememberMe": False,
    "requiredCredentials": ["password"],
    "resetCredentialsFlow": "reset credentials",
    "resetPasswordAllowed": False,
    "scimApiEnabled": False,
    "ssoSessionIdleTimeoutRememberMe": 0,
    "ssoSessionMaxLifespanRememberMe": 0,
    "userManagedAccessAllowed": False,
    "verifiableCredentialsEnabled": False,
    "verifyEmail": False,
    "waitIncrementSeconds": 60,
    "webAuthnPolicyAcceptableAaguids": [],
    "webAuthnPolicyAttestationConveyancePreference": "not specified",
    "webAuthnPolicyAuthenticatorAttachment": "not specified",
    "webAuthnPolicyAvoidSameAuthenticatorRegister": False,
    "webAuthnPolicyCreateTimeout": 0,
    "webAuthnPolicyExtraOrigins": [],
    "webAuthnPolicyPasswordlessAcceptableAaguids": [],
    "webAuthnPolicyPasswordlessAttestationConveyancePreference": "not specified",
    "webAuthnPolicyPasswordlessAuthenticatorAttachment": "not specified",
    "webAuthnPolicyPasswordlessAvoidSameAuthenticatorRegister": False,
    "webAuthnPolicyPasswordlessCreateTimeout": 0,
    "webAuthnPolicyPasswordlessExtraOrigins": [],
    "webAuthnPolicyPasswordlessRequireResidentKey": "not specified",
    "webAuthnPolicyPasswordlessResidentKey": "required",
    "webAuthnPolicyPasswordlessRpEntityName": "keycloak",
    "webAuthnPolicyPasswordlessRpId": "",
    "webAuthnPolicyPasswordlessSignatureAlgorithms": ["ES256", "RS256"],
    "webAuthnPolicyPasswordlessUserVerificationRequirement": "required",
    "webAuthnPolicyRequireResidentKey": "not specified",
    "webAuthnPolicyResidentKey": "not specified",
    "webAuthnPolicyRpEntityName": "keycloak",
    "webAuthnPolicyRpId": "",
    "webAuthnPolicySignatureAlgorithms": ["ES256", "RS256"],
    "webAuthnPolicyUserVerificationRequirement": "not specified",
}
"""Fields of a realm that no manifest can represent; those of an object in it after a dot."""


def flat(raw: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The fields of an object, those of an object in it after a dot."""
    for key, value in raw.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}.{inner}", each) for inner, each in value.items())
        else:
            yield key, value
