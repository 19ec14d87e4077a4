package npm

// The key of registry signatures, and who asks for it.

import (
	"encoding/json"
	"net/http"
	"sync"

	"larder/internal/wire"
	"larder/npm/sign"
)

// lazySigner makes the key when it is first needed: a server that never serves npm writes no secret.
type lazySigner struct {
	mu  sync.Mutex // guards got
	got *sign.Key
}

func (s *server) signer(r *http.Request) (*sign.Key, error) {
	l := &s.lazy
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.got != nil {
		return l.got, nil
	}
	secret, err := s.Store.Secret(r.Context(), "npm.sign", 32)
	if err != nil {
		return nil, err
	}
	l.got, err = sign.New(secret)
	return l.got, err
}

// keys answers with the public key; audit signatures asks for it once.
func (s *server) keys(w http.ResponseWriter, r *http.Request, _ Request) error {
	k, err := s.signer(r)
	if err != nil {
		return err
	}
	own, err := json.Marshal(k.Public())
	if err != nil {
		return err
	}
	return wire.JSON(w, http.StatusOK, map[string][]json.RawMessage{
		"keys": s.proxiedKeys(r.Context(), []json.RawMessage{own}),
	})
}
