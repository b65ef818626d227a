// The life of a token with Go's oauth2, which knows neither discovery nor introspection nor revocation.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func tell(document map[string]any) {
	must(json.NewEncoder(os.Stdout).Encode(document))
}

func main() {
	var given struct{ Issuer, ClientID, ClientSecret, RedirectURI, Scope string }
	must(json.Unmarshal([]byte(os.Getenv("OAUTH_CLIENT")), &given))
	ctx := context.Background()
	token := given.Issuer + "/invoke/pub.oauth/getToken"
	config := oauth2.Config{
		ClientID:     given.ClientID,
		ClientSecret: given.ClientSecret,
		RedirectURL:  given.RedirectURI,
		Scopes:       []string{given.Scope},
		Endpoint: oauth2.Endpoint{
			AuthURL:   given.Issuer + "/invoke/pub.oauth/authorize",
			TokenURL:  token,
			AuthStyle: oauth2.AuthStyleInHeader,
		},
	}
	verifier := oauth2.GenerateVerifier()
	tell(map[string]any{"authorize": config.AuthCodeURL("a state", oauth2.S256ChallengeOption(verifier))})
	lines := bufio.NewScanner(os.Stdin)
	lines.Scan()
	callback, err := url.Parse(lines.Text())
	must(err)
	first, err := config.Exchange(ctx, callback.Query().Get("code"), oauth2.VerifierOption(verifier))
	must(err)
	expired := *first
	expired.Expiry = time.Now().Add(-time.Hour)
	second, err := config.TokenSource(ctx, &expired).Token()
	must(err)
	wrong := clientcredentials.Config{
		ClientID: given.ClientID, ClientSecret: "wrong", TokenURL: token, AuthStyle: oauth2.AuthStyleInHeader,
	}
	_, err = wrong.Token(ctx)
	var refused *oauth2.RetrieveError
	errors.As(err, &refused)
	tell(map[string]any{"first": first.AccessToken, "second": second.AccessToken, "error": refused.ErrorCode})
}
