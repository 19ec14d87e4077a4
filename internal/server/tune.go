package server

// This file has the limits of the HTTP servers.

import (
	"log/slog"
	"net/http"
	"time"

	"larder/internal/wire"
)

const (
	// headerTimeout is the time for a request's header; the whole body has no limit, layers take hours. What guards
	// bodies and answers is the deadline for each part in internal/wire.
	headerTimeout = 20 * time.Second
	// idleTimeout is longer than the pauses of a build between two requests: Maven's clients use a connection again that
	// rested for five minutes.
	idleTimeout = 330 * time.Second
	// maxHeader leaves room for a JWT of a hundred scopes and a long list of ranges.
	maxHeader = 128 << 10
	// streamLimit is the most requests at once on one HTTP/2 connection.
	streamLimit = 250
	pingAfter   = 30 * time.Second
	pingTimeout = 15 * time.Second
	stallTime   = time.Minute
)

// tuned is an http.Server with limits that hold for every listener.
func tuned(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ConnContext:       wire.ConnContext,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: streamLimit,
			SendPingTimeout:      pingAfter,
			PingTimeout:          pingTimeout,
			WriteByteTimeout:     stallTime,
		},
		// Failed handshakes and clients that vanish are not the operator's business.
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
