package server

// This file listens in a folder whose name is too long for a socket's address, which Linux reaches by /proc.

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAdminSocketInLongFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	ln, err := listenAdmin(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, socketName)); err != nil {
		t.Error(err)
	}
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
}
