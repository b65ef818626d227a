# Decides whether a token may call a service or a REST resource, by the policy data that oauthdeploy keeps.
#
#   input:    {"token": "eyJ...", "resource": "orders.v1:getOrder"}                     a service, or
#             {"token": "eyJ...", "method": "GET", "path": "orders.v1/orders/42"}       a REST resource
#   decision: {"allow": true, "client": "web-shop", "scopes": ["orders.read"]}          or
#             {"allow": false, "reasons": ["client is blocked"]}
#
# Everything that is not explicitly allowed is refused, including calls without data, keys or a token, and tokens whose
# claims have another type than the standards say: Rego orders every text above every number, so that `"exp": "1"` would
# never end.
package orders.authz

config := data.oauth.orders # options.path of the server entry: oauth/orders

sections := ["clients", "scopes", "associations", "blocked", "issued_before", "trust"]

default allow := false

allow if {
	authentic
	count(opened) > 0
	count(reasons) == 0
}

decision := {"allow": true, "client": client, "scopes": opened} if allow

decision := {"allow": false, "reasons": why} if {
	not allow
	why := (reasons | unproved) | unopened
}

# A missing part could be the one that denies the call.
reasons contains sprintf("policy data has no %s", [section]) if {
	some section in sections
	not has(section)
}

has(section) if is_object(config[section])

# -- the token -------------------------------------------------------------------------------------------------------

# The trusted authorization server, and while oauthdeploy switches to another one, the former one too.
trusted contains config.trust

trusted contains former if some former in config.also_trusted

# Those of them that signed the token, each by its own name and keys.
signers contains trust if {
	some trust in trusted
	trust.via == "jwt"
	claims.iss == trust.issuer
	signed(trust)
}

# A JWT signed by a trusted issuer (RFC 9068), or a token that the trusted server reports as active (RFC 7662).
authentic if {
	config.trust.via == "jwt"
	count(signers) > 0
	is_number(claims.exp)
	claims.exp > now
}

# webMethods Integration Server sends every value as text.
authentic if {
	config.trust.via == "external"
	claims.active in {true, "true"}
	seconds(object.get(claims, "exp", now + 1)) > now
}

unproved contains "token is not authentic" if not authentic

now := time.now_ns() / 1000000000

# A moment in seconds since 1970: a number (RFC 7519, NumericDate), or the digits of one in an introspection response.
seconds(value) := value if is_number(value)

seconds(value) := to_number(value) if {
	config.trust.via == "external"
	is_string(value)
	regex.match(`^[0-9]{1,12}$`, value)
}

claims := io.jwt.decode(input.token)[1] if config.trust.via == "jwt"

claims := introspected if config.trust.via == "external"

header := io.jwt.decode(input.token)[0]

# Public-key algorithms only: with "none" or an HMAC, anybody who knows the public key could sign.
signed(trust) if {
	header.alg == "RS256"
	io.jwt.verify_rs256(input.token, keys(trust))
}

signed(trust) if {
	header.alg == "PS256"
	io.jwt.verify_ps256(input.token, keys(trust))
}

signed(trust) if {
	header.alg == "ES256"
	io.jwt.verify_es256(input.token, keys(trust))
}

# Keys are fetched every five minutes, and at once for an unknown key, but at most every ten seconds.
keys(trust) := known if {
	known := fetched(trust.jwks_uri, 300)
	has_key(known)
}

keys(trust) := fetched(trust.jwks_uri, 10) if not has_key(fetched(trust.jwks_uri, 300))

has_key(jwks) if {
	some key in json.unmarshal(jwks).keys
	key.kid == header.kid
}

fetched(url, duration) := http.send({
	"method": "GET",
	"url": url,
	"timeout": "5s",
	"raise_error": false,
	"force_cache": true,
	"force_cache_duration_seconds": duration,
}).raw_body

# A client introspects, or an account if the manifest has no client.
introspector := object.get(config.trust, "client_id", object.get(config.trust, "username", null))

# The secret is not policy data: OPA reads it from its environment.
introspected := http.send({
	"method": "POST",
	"url": config.trust.endpoint,
	"timeout": "5s",
	"raise_error": false,
	"headers": {
		"Content-Type": "application/x-www-form-urlencoded",
		"Authorization": concat(" ", ["Basic", base64.encode(concat(":", [
			urlquery.encode(introspector),
			urlquery.encode(opa.runtime().env.INTROSPECTION_SECRET),
		]))]),
	},
	"raw_body": urlquery.encode_object({"token": input.token}),
}).body

reasons contains "token is for somebody else" if {
	every trust in vouching {
		not for_us(trust)
	}
}

# Who says that the token is authentic.
vouching := signers if count(signers) > 0

vouching := {config.trust} if count(signers) == 0

for_us(trust) if object.get(trust, "audience", "") == ""

for_us(trust) if trust.audience in audiences

audiences contains claims.aud if is_string(claims.aud)

audiences contains each if some each in claims.aud

reasons contains "token is not valid yet" if not begun

begun if seconds(object.get(claims, "nbf", 0)) <= now

# -- the client ------------------------------------------------------------------------------------------------------

client := object.get(claims, "client_id", object.get(claims, "azp", null))

reasons contains "client is unknown" if not known_client

known_client if {
	is_string(client)
	is_object(config.clients[client])
}

reasons contains "client is blocked" if client in object.keys(config.blocked)

reasons contains sprintf("token was cut off by %s", [id]) if {
	some id, cut in config.issued_before[client]
	not issued_after(cut)
	may_be_about(cut, "owner", names)
	may_be_about(cut, "scope", token_scopes)
}

# A cut-off of one owner or scope spares the tokens of others. A token that names none could be one of them, and a cut-off
# whose owner or scope is no text could mean anybody.
may_be_about(cut, key, _) if not is_string(object.get(cut, key, null))

may_be_about(cut, key, known) if cut[key] in known

may_be_about(_, _, known) if count(known) == 0

# A token that does not say when it was issued, or a cut-off without a time, counts as cut off.
issued_after(cut) if {
	is_number(cut.before)
	seconds(claims.iat) >= cut.before
}

# Every name of the resource owner.
names := {claims[key] | some key in ["sub", "username", "preferred_username"]; is_string(claims[key])}

# -- the resource ----------------------------------------------------------------------------------------------------

token_scopes := {scope | is_string(claims.scope); some scope in split(claims.scope, " "); scope != ""}

# The scopes of the token that are associated with the client and open the called resource.
opened contains scope if {
	some scope in token_scopes
	config.associations[client][scope] == true
	opens(config.scopes[scope])
}

unopened contains "no scope of the token opens this for the client" if {
	authentic
	count(opened) == 0
}

# A folder opens everything below it: orders.v1 opens orders.v1:getOrder and orders.v1.archive:find.
opens(scope) if {
	some resource in scope.resources
	within(input.resource, resource)
}

within(called, resource) if called == resource

within(called, resource) if startswith(called, concat("", [resource, ":"]))

within(called, resource) if startswith(called, concat("", [resource, "."]))

# GET_orders.v1/orders/{id} opens GET on orders.v1/orders/42.
opens(scope) if {
	some template in scope.url_templates
	matches(template, concat("_", [input.method, input.path]))
}

matches(template, called) if {
	pattern := split(template, "/")
	steps := split(called, "/")
	count(pattern) == count(steps)
	every i, step in steps {
		fits(pattern[i], step)
	}
}

fits(step, called) if step == called

fits(step, called) if {
	startswith(step, "{")
	endswith(step, "}")
	called != ""
}
