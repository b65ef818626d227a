"""One manifest, a real Keycloak and two real OPAs, with protected services behind them."""
