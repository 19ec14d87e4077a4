package e2e

// The script command gate: a proxy before the server that stops, breaks off and damages what passes.

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// gate is a TCP proxy in front of another server. A script can stop or change what passes:
//
//	gate [NAME]     a proxy for the server called NAME; sets $GATE (host:port)
//	gate hold       a megabyte more passes, then nothing
//	gate shut       nothing passes, although connections are accepted
//	gate held       waits until something is held back
//	gate cut        closes every connection, and all that come
//	gate open       everything passes again, unchanged
//	gate spoil A B  replaces A by B, which is as long, in what clients send
type gate struct {
	to string

	mu     sync.Mutex // guards what follows
	change chan struct{}
	conns  map[net.Conn]bool
	closed bool
	room   int64 // bytes that may still pass; -1: any number
	held   bool
	spoil  [2][]byte // what is sent instead of what, of one length
}

const gateRoom = 1 << 20

func cmdGate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 3 || len(args) > 1 && args[0] != "spoil" {
		ts.Fatalf("usage: gate [NAME]|hold|shut|held|cut|open|spoil A B")
	}
	s := state(ts)
	switch verb := strings.Join(args[:min(len(args), 1)], ""); verb {
	case "spoil":
		if len(args) != 3 || len(args[1]) != len(args[2]) {
			ts.Fatalf("usage: gate spoil A B, of one length")
		}
		s.gate.set(func(g *gate) { g.spoil = [2][]byte{[]byte(args[1]), []byte(args[2])} })
	case "hold":
		s.gate.set(func(g *gate) { g.room, g.held = gateRoom, false })
	case "shut":
		s.gate.set(func(g *gate) { g.room, g.held = 0, false })
	case "cut":
		s.gate.set(func(g *gate) { g.closed = true })
		s.gate.drop()
	case "open":
		s.gate.set(func(g *gate) { g.closed, g.room, g.held, g.spoil = false, -1, false, [2][]byte{} })
	case "held":
		for deadline := time.Now().Add(2 * time.Minute); !s.gate.isHeld(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				ts.Fatalf("nothing reached the gate in two minutes")
			}
		}
	default:
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		from := "HOST"
		if verb != "" {
			from = verb + "_HOST"
		}
		s.gate = newGate(l, ts.Getenv(from))
		ts.Defer(func() {
			_ = l.Close()
			s.gate.drop()
		})
		ts.Setenv("GATE", l.Addr().String())
	}
}

func newGate(l net.Listener, to string) *gate {
	g := &gate{to: to, change: make(chan struct{}), conns: map[net.Conn]bool{}, room: -1}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go g.pass(c)
		}
	}()
	return g
}

func (g *gate) set(change func(*gate)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(g)
	close(g.change)
	g.change = make(chan struct{})
}

func (g *gate) isHeld() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held
}

// drop closes every connection.
func (g *gate) drop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		_ = c.Close()
	}
}

func (g *gate) keep(c net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conns[c] = true
}

// pass connects one client with the server.
func (g *gate) pass(client net.Conn) {
	defer client.Close()
	g.mu.Lock()
	closed := g.closed
	g.mu.Unlock()
	if closed {
		return
	}
	server, err := net.Dial("tcp", g.to)
	if err != nil {
		return
	}
	defer server.Close()
	g.keep(client)
	g.keep(server)
	go func() {
		_, _ = io.Copy(spoiler{g, server}, client)
		_ = server.Close()
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := server.Read(buf)
		if n > 0 {
			g.await(int64(n))
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// spoiler writes what clients send, with A replaced by B.
type spoiler struct {
	g *gate
	w io.Writer
}

func (s spoiler) Write(p []byte) (int, error) {
	s.g.mu.Lock()
	spoil := s.g.spoil
	s.g.mu.Unlock()
	if len(spoil[0]) > 0 {
		p = bytes.ReplaceAll(p, spoil[0], spoil[1])
	}
	return s.w.Write(p)
}

// await returns when n bytes may pass.
func (g *gate) await(n int64) {
	for {
		g.mu.Lock()
		if g.room < 0 || g.room >= n {
			if g.room > 0 {
				g.room -= n
			}
			g.mu.Unlock()
			return
		}
		g.held = true
		change := g.change
		g.mu.Unlock()
		<-change
	}
}

func TestHeldGatePassesAMegabyte(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		if c, err := server.Accept(); err == nil {
			_, _ = c.Write(make([]byte, 3<<20))
			_ = c.Close()
		}
	}()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	g := newGate(l, server.Addr().String())
	g.set(func(g *gate) { g.room = gateRoom })
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got := make(chan int64)
	go func() {
		n, _ := io.Copy(io.Discard, c)
		got <- n
	}()
	for !g.isHeld() {
		time.Sleep(time.Millisecond)
	}
	g.set(func(g *gate) { g.room = -1 })
	if n := <-got; n != 3<<20 {
		t.Fatalf("%d bytes came through", n)
	}
}
