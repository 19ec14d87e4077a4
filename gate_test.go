package main

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// gate is a way to another server on which a script can stop what flows:
//
//	gate NAME     a way to the server called NAME; sets $GATE (host:port)
//	gate hold     lets a megabyte more through, then nothing
//	gate held     waits until something is held back
//	gate cut      breaks every connection, and all to come
//	gate open     lets everything through again
type gate struct {
	to string

	mu     sync.Mutex // guards what follows
	change chan struct{}
	conns  map[net.Conn]bool
	closed bool
	room   int64 // bytes that may still pass; -1: any number
	held   bool
}

const gateRoom = 1 << 20

func cmdGate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: gate NAME|hold|held|cut|open")
	}
	s := state(ts)
	switch args[0] {
	case "hold":
		s.gate.set(func(g *gate) { g.room, g.held = gateRoom, false })
	case "cut":
		s.gate.set(func(g *gate) { g.closed = true })
		s.gate.drop()
	case "open":
		s.gate.set(func(g *gate) { g.closed, g.room, g.held = false, -1, false })
	case "held":
		for deadline := time.Now().Add(30 * time.Second); !s.gate.isHeld(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				ts.Fatalf("nothing reached the gate in 30 s")
			}
		}
	default:
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		s.gate = newGate(l, ts.Getenv(args[0]+"_HOST"))
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

// drop breaks every connection.
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

// pass connects one client with the server behind the gate.
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
		_, _ = io.Copy(server, client)
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

// TestGate: a megabyte, then nothing, then the rest.
func TestGate(t *testing.T) {
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
