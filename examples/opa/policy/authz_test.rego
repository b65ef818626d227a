package orders.authz_test

import data.orders.authz

# A key for these tests only.
key := {
	"kty": "EC",
	"crv": "P-256",
	"kid": "test",
	"x": "fezbnUaF8PySyuYzWORyKZpthLbDFL9iL9HSLsjLwxk",
	"y": "-48QYtw43V3akYxK61ARbE0ZkEAkSAFCJ2-GqyT_G2Y",
	"d": "HEEy7xOtucoPJIkKRsTAfn1OpRVD1ooARz6XF4TkzNc",
}

other_key := {
	"kty": "EC",
	"crv": "P-256",
	"kid": "test",
	"x": "RmiwWeaMr6b90Kr3G-4EDauimxAkD9DSinaFsVh79Cc",
	"y": "B9wguNl9ZSDfVtmra7gcCJ-WnIW8hkY-1bvMtM5cw5g",
	"d": "HzgzpPYKEqySb1JEdDVmTN1egbPVqY1RYZOBsuRt4Cg",
}

issued := 1790000000

config := {
	"trust": {"via": "jwt", "issuer": "https://login", "jwks_uri": "https://login/keys", "audience": "orders"},
	"clients": {"web-shop": {}, "batch": {}},
	"scopes": {
		"orders.read": {"resources": ["orders.v1:getOrder"], "url_templates": ["GET_orders.v1/orders/{id}"]},
		"orders.all": {"resources": ["orders.v1"]},
		"empty": {},
	},
	"associations": {"web-shop": {"orders.read": true, "empty": true}, "batch": {"orders.all": true}},
	"blocked": {},
	"issued_before": {},
}

claims := {
	"iss": "https://login",
	"aud": ["orders"],
	"azp": "web-shop",
	"sub": "alice",
	"scope": "openid orders.read",
	"iat": issued,
	"exp": issued + 300,
}

call := {"resource": "orders.v1:getOrder"}

signed(content, by) := io.jwt.encode_sign({"alg": "ES256", "kid": by.kid}, content, by)

keys(_) := {"status_code": 200, "raw_body": json.marshal({"keys": [object.remove(key, ["d"])]})}

nothing(_) := {"status_code": 0, "error": {"code": "eval_http_send_network_error"}}

# The policy's decision on a call with a token of these claims and that data.
decide(content, asked, known) := decide_token(signed(content, key), asked, known)

decide_token(token, asked, known) := result if {
	result := authz.decision with input as object.union(asked, {"token": token})
		with data.oauth.orders as known
		with http.send as keys
		with time.now_ns as (issued + 60) * 1000000000
}

refused(content, asked, known, why) if {
	result := decide(content, asked, known)
	result.allow == false
	why in result.reasons
}

test_allowed if {
	decide(claims, call, config) == {"allow": true, "client": "web-shop", "scopes": {"orders.read"}}
}

test_allowed_by_url_template if {
	decide(claims, {"method": "GET", "path": "orders.v1/orders/42"}, config).allow
}

test_other_method_or_path_is_refused if {
	every asked in [
		{"method": "DELETE", "path": "orders.v1/orders/42"},
		{"method": "GET", "path": "orders.v1/orders"},
		{"method": "GET", "path": "orders.v1/orders/42/lines"},
		{"method": "GET", "path": "orders.v1/orders/"},
		{"resource": "orders.v1:getOrders"},
		{"resource": "orders.v1"},
		{},
	] {
		refused(claims, asked, config, "no scope of the token opens this for the client")
	}
}

test_a_folder_opens_what_is_in_it if {
	batch := object.union(claims, {"azp": "batch", "scope": "orders.all"})
	every resource in ["orders.v1", "orders.v1:getOrder", "orders.v1.archive:find"] {
		decide(batch, {"resource": resource}, config).allow
	}
	refused(batch, {"resource": "orders.v10:getOrder"}, config, "no scope of the token opens this for the client")
}

test_scope_that_is_not_associated_is_refused if {
	greedy := object.union(claims, {"scope": "orders.all"})
	refused(greedy, call, config, "no scope of the token opens this for the client")
}

test_association_without_scope_in_the_token_is_refused if {
	modest := object.remove(claims, ["scope"])
	refused(modest, call, config, "no scope of the token opens this for the client")
}

test_unknown_client_is_refused if {
	refused(object.union(claims, {"azp": "ghost"}), call, config, "client is unknown")
	refused(object.remove(claims, ["azp"]), call, config, "client is unknown")
}

test_client_id_goes_before_azp if {
	decide(object.union(claims, {"client_id": "web-shop", "azp": "ghost"}), call, config).allow
}

test_blocked_client_is_refused if {
	known := object.union(config, {"blocked": {"web-shop": {}}})
	refused(claims, call, known, "client is blocked")
}

test_tokens_from_before_a_cut_off_are_refused if {
	before := object.union(config, {"issued_before": {"web-shop": {"INC-1": {"before": issued + 1}}}})
	refused(claims, call, before, "token was cut off by INC-1")
	at := object.union(config, {"issued_before": {"web-shop": {"INC-1": {"before": issued}}}})
	decide(claims, call, at).allow
	others := object.union(config, {"issued_before": {"batch": {"INC-1": {"before": issued + 1}}}})
	decide(claims, call, others).allow
	every lacking in ["iat", "sub", "scope"] {
		refused(object.remove(claims, [lacking]), call, before, "token was cut off by INC-1")
	}
}

test_a_cut_off_may_be_of_an_owner_or_a_scope if {
	every cut in [{"owner": "alice"}, {"scope": "orders.read"}, {"owner": "alice", "scope": "orders.read"}] {
		known := object.union(config, {"issued_before": {"web-shop": {"I": object.union(cut, {"before": issued + 1})}}})
		refused(claims, call, known, "token was cut off by I")
	}
	every cut in [{"owner": "bob"}, {"scope": "orders.all"}, {"owner": "alice", "scope": "orders.all"}] {
		known := object.union(config, {"issued_before": {"web-shop": {"I": object.union(cut, {"before": issued + 1})}}})
		decide(claims, call, known).allow
	}
}

test_an_owner_of_another_type_may_be_anybody if {
	known := object.union(config, {"issued_before": {"web-shop": {"I": {"owner": "bob", "before": issued + 1}}}})
	decide(claims, call, known).allow
	refused(object.remove(claims, ["sub"]), call, known, "token was cut off by I")
	every odd in [true, false, null, 1, ["alice"], {"bob": 1}] {
		refused(object.union(claims, {"sub": odd}), call, known, "token was cut off by I")
	}
}

test_a_cut_off_of_an_owner_or_scope_of_another_type_spares_nobody if {
	every key in ["owner", "scope"] {
		every odd in [true, false, null, 1, ["bob"], {"bob": 1}] {
			known := object.union(config, {"issued_before": {"web-shop": {"I": {key: odd, "before": issued + 1}}}})
			refused(claims, call, known, "token was cut off by I")
		}
	}
}

test_expired_or_early_or_endless_token_is_refused if {
	refused(object.union(claims, {"exp": issued + 60}), call, config, "token is not authentic")
	refused(object.remove(claims, ["exp"]), call, config, "token is not authentic")
	refused(object.union(claims, {"nbf": issued + 61}), call, config, "token is not valid yet")
}

odd_values := ["1", "9999999999", "", "never", true, false, null, [], [issued], {}, {"exp": issued}]

test_an_end_of_another_type_is_refused if {
	every odd in odd_values {
		refused(object.union(claims, {"exp": odd}), call, config, "token is not authentic")
	}
}

test_a_beginning_of_another_type_is_refused if {
	every odd in odd_values {
		refused(object.union(claims, {"nbf": odd}), call, config, "token is not valid yet")
	}
	decide(object.union(claims, {"nbf": issued}), call, config).allow
}

test_a_time_of_issue_of_another_type_is_cut_off if {
	before := object.union(config, {"issued_before": {"web-shop": {"INC-1": {"before": issued - 1}}}})
	decide(claims, call, before).allow
	every odd in odd_values {
		refused(object.union(claims, {"iat": odd}), call, before, "token was cut off by INC-1")
	}
}

test_a_cut_off_without_a_time_cuts_off if {
	every odd in ["1", "", true, null, [], {}] {
		known := object.union(config, {"issued_before": {"web-shop": {"INC-1": {"before": odd}}}})
		refused(claims, call, known, "token was cut off by INC-1")
	}
	refused(claims, call, object.union(config, {"issued_before": {"web-shop": {"INC-1": {}}}}), "token was cut off by INC-1")
}

test_a_client_of_another_type_is_refused if {
	every odd in [true, null, 1, [], ["web-shop"], {}, {"web-shop": true}] {
		refused(object.union(claims, {"azp": odd}), call, config, "client is unknown")
		refused(object.union(claims, {"client_id": odd}), call, config, "client is unknown")
	}
}

test_whatever_stands_under_blocked_blocks if {
	every odd in [{}, false, null, 0, ""] {
		refused(claims, call, object.union(config, {"blocked": {"web-shop": odd}}), "client is blocked")
	}
}

test_scopes_of_another_type_open_nothing if {
	every odd in [true, null, 1, ["orders.read"], {"orders.read": true}] {
		refused(object.union(claims, {"scope": odd}), call, config, "no scope of the token opens this for the client")
	}
}

test_an_audience_of_another_type_is_refused if {
	every odd in [true, null, 1, {}, [["orders"]], [null]] {
		refused(object.union(claims, {"aud": odd}), call, config, "token is for somebody else")
	}
}

test_other_issuer_or_audience_is_refused if {
	refused(object.union(claims, {"iss": "https://login/"}), call, config, "token is not authentic")
	refused(object.union(claims, {"aud": "stock"}), call, config, "token is for somebody else")
	refused(object.remove(claims, ["aud"]), call, config, "token is for somebody else")
	decide(object.union(claims, {"aud": "orders"}), call, config).allow
	unasked := object.union(object.remove(config, ["trust"]), {"trust": object.remove(config.trust, ["audience"])})
	decide(object.remove(claims, ["aud"]), call, unasked).allow
}

test_foreign_signatures_are_refused if {
	every token in [
		signed(claims, other_key),
		io.jwt.encode_sign({"alg": "HS256", "kid": "test"}, claims, {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"}),
		concat(".", [base64url.encode_no_pad(`{"alg":"none"}`), base64url.encode_no_pad(json.marshal(claims)), ""]),
		concat("", [signed(claims, key), "x"]),
		"no token",
		"",
	] {
		decide_token(token, call, config).allow == false
	}
}

test_without_keys_nothing_is_allowed if {
	result := authz.decision with input as object.union(call, {"token": signed(claims, key)})
		with data.oauth.orders as config
		with http.send as nothing
		with time.now_ns as (issued + 60) * 1000000000
	result.allow == false
}

test_without_data_nothing_is_allowed if {
	every known in [{}, {"trust": {}}] {
		decide(claims, call, known).allow == false
	}
	every section in authz.sections {
		decide(claims, call, object.remove(config, [section])).allow == false
		section_is_a_list := object.union(object.remove(config, [section]), {section: []})
		decide(claims, call, section_is_a_list).allow == false
	}
}

# -- while the trust switches ------------------------------------------------------------------------------------------

switching := object.union(config, {"also_trusted": {"former": {
	"authorization_server": "former",
	"via": "jwt",
	"issuer": "https://former",
	"jwks_uri": "https://former/keys",
	"audience": "orders",
}}})

former_claims := object.union(claims, {"iss": "https://former"})

# Each authorization server has a key of its own.
own_keys(request) := {"status_code": 200, "raw_body": json.marshal({"keys": [object.remove(by, ["d"])]})} if {
	by := {"https://login/keys": key, "https://former/keys": other_key}[request.url]
} else := nothing(request)

decide_between(token, known) := result if {
	result := authz.decision with input as object.union(call, {"token": token})
		with data.oauth.orders as known
		with http.send as own_keys
		with time.now_ns as (issued + 60) * 1000000000
}

refused_between(token, known, why) if {
	result := decide_between(token, known)
	result.allow == false
	why in result.reasons
}

test_both_authorization_servers_are_trusted_while_it_switches if {
	decide_between(signed(claims, key), switching).allow
	decide_between(signed(former_claims, other_key), switching).allow
}

test_neither_can_sign_for_the_other if {
	refused_between(signed(claims, other_key), switching, "token is not authentic")
	refused_between(signed(former_claims, key), switching, "token is not authentic")
	refused_between(signed(object.union(claims, {"iss": "https://else"}), key), switching, "token is not authentic")
}

test_the_former_one_is_not_trusted_before_and_after if {
	refused_between(signed(former_claims, other_key), config, "token is not authentic")
	entry := switching.also_trusted.former
	incomplete := [{"former": object.remove(entry, [key])} | some key in ["via", "issuer", "jwks_uri"]]
	external := {"former": object.union(entry, {"via": "external"})}
	every odd in array.concat(incomplete, [external, {}, [], null, true, "former", {"former": null}, {"former": {}}]) {
		known := object.union(config, {"also_trusted": odd})
		refused_between(signed(former_claims, other_key), known, "token is not authentic")
		decide_between(signed(claims, key), known).allow
	}
}

test_what_holds_for_one_holds_for_both if {
	blocked := object.union(switching, {"blocked": {"web-shop": {}}})
	cut := object.union(switching, {"issued_before": {"web-shop": {"INC-1": {"before": issued + 1}}}})
	alone := object.union(object.remove(switching, ["associations"]), {"associations": {"batch": {"orders.all": true}}})
	every one in [{"iss": "https://login", "by": key}, {"iss": "https://former", "by": other_key}] {
		content := object.union(claims, {"iss": one.iss})
		refused_between(signed(content, one.by), blocked, "client is blocked")
		refused_between(signed(content, one.by), cut, "token was cut off by INC-1")
		refused_between(signed(content, one.by), alone, "no scope of the token opens this for the client")
		refused_between(signed(object.union(content, {"aud": "stock"}), one.by), switching, "token is for somebody else")
		every odd in odd_values {
			refused_between(signed(object.union(content, {"exp": odd}), one.by), switching, "token is not authentic")
		}
	}
}

knows_but_inactive(request) := {"status_code": 200, "body": object.union(former_claims, {"active": false})} if {
	request.url == "https://login/introspect"
} else := own_keys(request)

test_by_introspection_only_the_trusted_server_is_asked if {
	known := object.union(asking, {"also_trusted": switching.also_trusted})
	result := authz.decision with input as object.union(call, {"token": signed(former_claims, other_key)})
		with data.oauth.orders as known
		with http.send as knows_but_inactive
		with opa.runtime as {"env": {"INTROSPECTION_SECRET": "s:e"}}
		with time.now_ns as (issued + 60) * 1000000000
	result.allow == false
}

# -- introspection ---------------------------------------------------------------------------------------------------

asking := object.union(object.remove(config, ["trust"]), {"trust": {
	"via": "external",
	"endpoint": "https://login/introspect",
	"client_id": "orders rs",
}})

answers_active(request) := {"status_code": 200, "body": object.union(claims, {"active": true, "client_id": "web-shop"})} if {
	request.url == "https://login/introspect"
	request.raw_body == "token=opaque%26token"
	request.headers.Authorization == concat(" ", ["Basic", base64.encode("orders+rs:s%3Ae")])
} else := nothing(request)

answers_inactive(_) := {"status_code": 200, "body": {"active": false}}

introspected(how) := result if {
	how == "active"
	result := authz.decision with input as object.union(call, {"token": "opaque&token"})
		with data.oauth.orders as asking
		with http.send as answers_active
		with opa.runtime as {"env": {"INTROSPECTION_SECRET": "s:e"}}
		with time.now_ns as (issued + 60) * 1000000000
}

introspected(how) := result if {
	how == "inactive"
	result := authz.decision with input as object.union(call, {"token": "opaque&token"})
		with data.oauth.orders as asking
		with http.send as answers_inactive
		with opa.runtime as {"env": {"INTROSPECTION_SECRET": "s:e"}}
		with time.now_ns as (issued + 60) * 1000000000
}

test_an_active_token_is_allowed if introspected("active").allow

test_an_inactive_token_is_refused if introspected("inactive").allow == false

# An Integration Server sends texts.
answers_in_texts(_) := {"status_code": 200, "body": object.union(claims, {
	"active": "true",
	"client_id": "web-shop",
	"iat": format_int(issued, 10),
	"exp": format_int(issued + 300, 10),
})}

answered(content) := result if {
	result := authz.decision with input as object.union(call, {"token": "opaque&token"})
		with data.oauth.orders as asking
		with http.send as {"status_code": 200, "body": content}
		with opa.runtime as {"env": {"INTROSPECTION_SECRET": "s:e"}}
		with time.now_ns as (issued + 60) * 1000000000
}

test_an_active_token_in_texts_is_allowed if {
	told := answers_in_texts({}).body
	answered(told).allow
	answered(object.union(told, {"exp": format_int(issued + 59, 10)})).allow == false
	answered(object.union(told, {"exp": "soon"})).allow == false
	answered(object.union(told, {"exp": "-1"})).allow == false
}

test_only_an_active_token_is_allowed if {
	told := answers_in_texts({}).body
	every odd in ["false", "True", "yes", "", 1, null, [], {}, [true]] {
		answered(object.union(told, {"active": odd})).allow == false
	}
	answered(object.remove(told, ["active"])).allow == false
	every answer in [null, "true", true, [], ["active"], 1] {
		answered(answer).allow == false
	}
}

test_an_account_introspects_where_there_is_no_client if {
	account := object.union(
		object.remove(asking, ["trust"]),
		{"trust": object.union(object.remove(asking.trust, ["client_id"]), {"username": "orders rs"})},
	)
	result := authz.decision with input as object.union(call, {"token": "opaque&token"})
		with data.oauth.orders as account
		with http.send as answers_active
		with opa.runtime as {"env": {"INTROSPECTION_SECRET": "s:e"}}
		with time.now_ns as (issued + 60) * 1000000000
	result.allow
}

test_without_a_name_to_introspect_with_nothing_is_allowed if {
	nameless := object.union(object.remove(asking, ["trust"]), {"trust": object.remove(asking.trust, ["client_id"])})
	result := authz.decision with input as object.union(call, {"token": "opaque&token"})
		with data.oauth.orders as nameless
		with http.send as answers_active
		with opa.runtime as {"env": {"INTROSPECTION_SECRET": "s:e"}}
		with time.now_ns as (issued + 60) * 1000000000
	result.allow == false
}

test_without_the_secret_nothing_is_allowed if {
	result := authz.decision with input as object.union(call, {"token": "opaque&token"})
		with data.oauth.orders as asking
		with http.send as answers_active
		with opa.runtime as {"env": {}}
		with time.now_ns as (issued + 60) * 1000000000
	result.allow == false
}
