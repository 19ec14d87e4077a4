package server

// This file listens where it must not, and replaces certificates.

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAdminSocket(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, socketName)
	// What a killed server leaves behind is in nobody's way.
	for _, name := range []string{path, path + ".new"} {
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ln, err := listenAdmin(dir)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	go func() {
		if c, err := ln.Accept(); err == nil {
			c.Close()
		}
	}()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestAdminSocketInNoFolder(t *testing.T) {
	if _, err := listenAdmin(filepath.Join(t.TempDir(), "absent")); err == nil ||
		!strings.Contains(err.Error(), "admin socket") {
		t.Errorf("got %v", err)
	}
}

func TestWriteAddr(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "addr")
	for _, addr := range []string{"127.0.0.1:1234", "[::1]:5"} {
		if err := writeAddr(path, addr); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != addr+"\n" {
			t.Errorf("%q, %v", got, err)
		}
	}
	if err := writeAddr(filepath.Join(dir, "no", "addr"), "x"); err == nil {
		t.Error("a folder that is absent was written to")
	}
}

// writeCert puts a fresh self-signed certificate for name into dir.
func writeCert(t *testing.T, dir, name string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		DNSNames:    []string{name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der},
		keyFile: {Type: "EC PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func nameOf(t *testing.T, c *certificate) string {
	t.Helper()
	pair, err := c.get(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return leaf.Subject.CommonName
}

func TestCertificateReload(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := writeCert(t, dir, "one.example.com")
	var log bytes.Buffer
	c, err := newCertificate(certFile, keyFile, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	writeCert(t, dir, "two.example.com")
	if got := nameOf(t, c); got != "one.example.com" {
		t.Errorf("files are looked at for every handshake: %s", got)
	}
	c.checked = time.Now().Add(-certCheck)
	if got := nameOf(t, c); got != "two.example.com" {
		t.Errorf("the change went unnoticed: %s", got)
	}
	if err := os.WriteFile(certFile, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.reload()
	if got := nameOf(t, c); got != "two.example.com" || !strings.Contains(log.String(), "not reloaded") {
		t.Errorf("a broken file: %s, log %s", got, &log)
	}
	writeCert(t, dir, "three.example.com")
	c.reload()
	if got := nameOf(t, c); got != "three.example.com" {
		t.Errorf("after a reload: %s", got)
	}
	if _, err := newCertificate(certFile, filepath.Join(dir, "absent"), quiet()); err == nil {
		t.Error("started without a key")
	}
}
