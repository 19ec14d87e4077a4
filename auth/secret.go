package auth

// The form of tokens: their alphabet, their check sum, the names they have in lists and logs.

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"hash/crc32"
	"math/big"
	"strings"
)

// A personal token is "larder_", 43 characters that hold 256 random bits, and 6 that hold the CRC-32 of all before
// them, in letters and digits: it needs no escaping anywhere, a double click selects it, a secret scanner finds it
// without false alarms, and a typo or a lost character is told from a revoked token without asking the store.
const (
	tokenPrefix = "larder_"
	tokenRandom = 43
	tokenSum    = 6
	tokenLen    = len(tokenPrefix) + tokenRandom + tokenSum
	tokenIDSize = 8 // bytes of the SHA-256 that make the id
)

func hasPrefix(s string) bool { return strings.HasPrefix(s, tokenPrefix) }

// newSecret makes a token. crypto/rand ends the program rather than return weak bits.
func newSecret() string {
	var bits [32]byte
	rand.Read(bits[:])
	body := tokenPrefix + base62(new(big.Int).SetBytes(bits[:]), tokenRandom)
	return body + sumOf(body)
}

func sumOf(body string) string {
	return base62(new(big.Int).SetUint64(uint64(crc32.ChecksumIEEE([]byte(body)))), tokenSum)
}

// base62 is n in digits and letters, padded to width.
func base62(n *big.Int, width int) string {
	s := n.Text(62)
	return strings.Repeat("0", max(0, width-len(s))) + s
}

// digits are base62's in the order of big.Int.
const digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// IsToken says whether s has the form and the checksum of a personal token; it may be revoked or never have existed.
func IsToken(s string) bool {
	if len(s) != tokenLen || !hasPrefix(s) {
		return false
	}
	cut := tokenLen - tokenSum
	sum := crc32.ChecksumIEEE([]byte(s[:cut]))
	for i := tokenLen - 1; i >= cut; i-- {
		if s[i] != digits[sum%62] {
			return false
		}
		sum /= 62
	}
	return sum == 0
}

// TokenID is the public id of a token, under which it is listed, logged and revoked: the first bytes of what the
// store keeps of it, from which nobody gets back to the token. False if s is no token.
func TokenID(s string) (string, bool) {
	if !IsToken(s) {
		return "", false
	}
	sum := sha256.Sum256([]byte(s))
	return idOf(sum[:]), true
}

func idOf(hash []byte) string { return hex.EncodeToString(hash[:tokenIDSize]) }
