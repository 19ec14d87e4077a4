package wire

// The address of a connection's other end.

import (
	"context"
	"net"
	"net/netip"
)

// peer is who is at the other end of a connection.
type peer struct {
	addr netip.Addr
	text string
}

type peerKey struct{}

// ConnContext is for http.Server: what is known of a connection is found out once, not for each of its requests.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	at, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return ctx
	}
	addr := at.AddrPort().Addr().Unmap().WithZone("")
	return context.WithValue(ctx, peerKey{}, &peer{addr, addr.String()})
}

// peerOf is nil where the server has no ConnContext.
func peerOf(ctx context.Context) *peer {
	p, _ := ctx.Value(peerKey{}).(*peer)
	return p
}
