package disk

// This file makes the ids of resumable uploads and tells whose they are.

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// Owner is whom an upload is bound to.
type Owner struct {
	Kind    string
	Package string
	User    string // "" for nobody in particular
}

// An upload's id is a version 8 UUID (RFC 9562): 32 bits of Unix seconds, so that listings are in order; 28 random
// bits; 62 bits of an HMAC-SHA-256 of those and the owner. Nobody can make an id, or use another's.

// newUploadID makes an id for owner.
func newUploadID(key []byte, owner Owner, now time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint32(b[:4], uint32(now.Unix()))
	rand.Read(b[4:8]) // never fails: crypto/rand ends the process instead
	b[6] = b[6]&0x0f | 0x80
	return signedID(key, owner, b)
}

// signedID fills in the second half of an id.
func signedID(key []byte, owner Owner, b [16]byte) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%x %s %q %q", b[:8], owner.Kind, owner.Package, owner.User)
	copy(b[8:], mac.Sum(nil))
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// ownsUpload reports whether id was made for owner.
func ownsUpload(key []byte, owner Owner, id string) bool {
	if !isUploadID(id) {
		return false
	}
	var b [16]byte
	if _, err := hex.Decode(b[:8], []byte(id[:8]+id[9:13]+id[14:18])); err != nil {
		return false
	}
	return hmac.Equal([]byte(signedID(key, owner, b)), []byte(id))
}

// isUploadID tells the names of uploads from those of stages.
func isUploadID(name string) bool {
	return len(name) == 36 && name[8] == '-' && name[13] == '-' && name[18] == '-' && name[23] == '-' && name[14] == '8'
}
