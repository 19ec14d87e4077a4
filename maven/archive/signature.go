package archive

// OpenPGP signatures: which key has signed, and when.

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// Signature is what an OpenPGP signature says of itself; nobody has verified it.
type Signature struct {
	Key     string    `json:"key,omitempty"` // fingerprint or key id, in hex
	Created time.Time `json:"created,omitzero"`
}

// ReadSignature reads the first signature packet of a detached signature (RFC 9580 5.2.3), armoured or not.
func ReadSignature(text []byte) (sig Signature, ok bool) {
	p := dearmour(text)
	if len(p) < 2 || p[0]&0x80 == 0 {
		return sig, false
	}
	body, ok := packet(p)
	if !ok || len(body) < 6 || body[0] != 4 && body[0] != 6 {
		return sig, false
	}
	wide, at := 2, 4 // version, type, two algorithms
	if body[0] == 6 {
		wide = 4
	}
	for range 2 { // hashed, then unhashed subpackets
		n, ok := number(body, at, wide)
		if !ok || n > len(body)-at-wide {
			return Signature{}, false
		}
		sig.take(body[at+wide : at+wide+n])
		at += wide + n
	}
	return sig, sig.Key != "" || !sig.Created.IsZero()
}

// dearmour decodes the base64 between header and checksum; what is not armoured is returned as it is.
func dearmour(text []byte) []byte {
	_, rest, found := bytes.Cut(text, []byte("-----BEGIN PGP SIGNATURE-----"))
	if !found {
		return text
	}
	rest = bytes.ReplaceAll(rest, []byte("\r"), nil)
	if _, after, ok := bytes.Cut(rest, []byte("\n\n")); ok {
		rest = after
	}
	rest, _, _ = bytes.Cut(rest, []byte("-----END"))
	if i := bytes.LastIndex(rest, []byte("\n=")); i >= 0 && len(rest)-i < 10 {
		rest = rest[:i]
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(rest)))
	n, err := base64.StdEncoding.Decode(out, bytes.ReplaceAll(rest, []byte("\n"), nil))
	if err != nil {
		return nil
	}
	return out[:n]
}

// packet returns the body of p's first packet if it is a signature (tag 2).
func packet(p []byte) ([]byte, bool) {
	at, n, ok := 1, 0, false
	if p[0]&0x40 != 0 {
		n, at, ok = length(p, 1)
		ok = ok && p[0]&0x3f == 2
	} else {
		wide := 1 << (p[0] & 3)
		n, ok = number(p, 1, wide)
		at, ok = 1+wide, ok && wide < 8 && p[0]>>2&0xf == 2
	}
	if !ok || n > len(p)-at {
		return nil, false
	}
	return p[at : at+n], true
}

// length reads the length of a packet or subpacket in the new format.
func length(p []byte, at int) (n, next int, ok bool) {
	switch {
	case at >= len(p):
		return 0, 0, false
	case p[at] < 192:
		return int(p[at]), at + 1, true
	case p[at] < 255 && at+1 < len(p):
		return (int(p[at])-192)<<8 + int(p[at+1]) + 192, at + 2, true
	}
	n, ok = number(p, at+1, 4)
	return n, at + 5, ok
}

// number reads a big-endian number of wide bytes.
func number(p []byte, at, wide int) (n int, ok bool) {
	if at+wide > len(p) || wide > 4 {
		return 0, false
	}
	for _, b := range p[at : at+wide] {
		n = n<<8 | int(b)
	}
	return n, true
}

// take reads creation time (2), issuer key id (16) and issuer fingerprint (33).
func (s *Signature) take(p []byte) {
	for at := 0; at < len(p); {
		n, next, ok := length(p, at)
		if !ok || n < 1 || n > len(p)-next {
			return
		}
		body := p[next+1 : next+n]
		switch kind := p[next] & 0x7f; {
		case kind == 2 && len(body) == 4:
			s.Created = time.Unix(int64(binary.BigEndian.Uint32(body)), 0).UTC()
		case kind == 16 && len(body) == 8 && s.Key == "":
			s.Key = hex.EncodeToString(body)
		case kind == 33 && len(body) > 20 && len(body) <= 33:
			s.Key = hex.EncodeToString(body[1:])
		}
		at = next + n
	}
}
