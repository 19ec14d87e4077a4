package store

// This file says on whose behalf a change is made.

import "context"

// Actor is who asked for a change. It travels in the context and ends up in the journal, in records and in policies.
type Actor struct {
	User  string `json:"user,omitempty"`
	Token string `json:"token,omitempty"` // the token's id, never the token
	Addr  string `json:"addr,omitempty"`
	Agent string `json:"agent,omitempty"`
}

// ActorKey is the key of a context's Actor. A context may make it when it is asked, which most requests never do.
type ActorKey struct{}

// NoteKey is the key of a context's note, a string: what the journal says of a version that is published besides.
type NoteKey struct{}

// WithActor returns a context that carries a.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, ActorKey{}, a)
}

// ActorFrom returns the context's actor; the zero Actor when there is none (anonymous, or a job of our own).
func ActorFrom(ctx context.Context) Actor {
	a, _ := ctx.Value(ActorKey{}).(Actor)
	return a
}
