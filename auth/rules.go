package auth

// What a password has to be, checked when it is set; those that are in use go on working.

import (
	_ "embed"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"larder/internal/problem"
	"larder/store"
)

// minPassword is how many characters a password has at least.
const minPassword = 10

// commonText has a common password on each line, of those with ten characters or more, and, after an empty line, a
// common word on each line.
//
//go:embed common.txt
var commonText string

// common are the passwords, and the words that are no password with digits and punctuation around them either.
var common = sync.OnceValue(func() (c struct{ passwords, words map[string]bool }) {
	passwords, words, _ := strings.Cut(commonText, "\n\n")
	set := func(text string) map[string]bool {
		m := map[string]bool{}
		for line := range strings.Lines(text) {
			m[strings.TrimSpace(line)] = true
		}
		delete(m, "")
		return m
	}
	c.passwords, c.words = set(passwords), set(words)
	return c
})

// checkCarried refuses what no client can send, or would be taken for a token.
func checkCarried(p string) error {
	switch {
	case p == "":
		return problem.Errorf(store.ErrInvalid, "The password is empty.")
	case len(p) > maxPassword:
		return problem.Errorf(store.ErrInvalid, "The password has more than %d bytes.", maxPassword)
	case !utf8.ValidString(p) || strings.ContainsFunc(p, unicode.IsControl):
		return problem.Errorf(store.ErrInvalid,
			"The password holds control characters, which Basic authentication cannot carry.")
	case hasPrefix(p):
		return problem.Errorf(store.ErrInvalid,
			"A password must not start with %s: it would be taken for a token.", tokenPrefix)
	case likeJWT(p):
		return problem.Errorf(store.ErrInvalid, "The password has the form of a JWT, and would be taken for one.")
	}
	return nil
}

// checkPassword is about a new password of a user; the error says what to change.
func checkPassword(user, p string) error {
	lower := strings.ToLower(p)
	core := strings.TrimFunc(lower, func(r rune) bool { return !unicode.IsLetter(r) })
	name := strings.TrimFunc(user, func(r rune) bool { return !unicode.IsLetter(r) })
	switch {
	case utf8.RuneCountInString(p) < minPassword:
		return problem.Errorf(store.ErrInvalid,
			"The password has %d characters; it needs at least %d.", utf8.RuneCountInString(p), minPassword)
	case lower == user || core != "" && core == name:
		return problem.Errorf(store.ErrInvalid, "The password is the user's name; choose one that nobody can guess.")
	case fewRunes(p):
		return problem.Errorf(store.ErrInvalid,
			"The password repeats fewer than four characters; choose one that nobody can guess.")
	case sequence(lower):
		return problem.Errorf(store.ErrInvalid,
			"The password is a sequence of characters; choose one that nobody can guess.")
	case common().passwords[lower] || common().words[core]:
		return problem.Errorf(store.ErrInvalid,
			"The password is among the most common ones; choose one that nobody can guess.")
	}
	return nil
}

// fewRunes says that p has fewer than four different characters.
func fewRunes(p string) bool {
	seen := map[rune]bool{}
	for _, r := range p {
		seen[r] = true
	}
	return len(seen) < 4
}

// sequence says that each character follows the one before in the alphabet, or each precedes it: abcdefghij,
// 9876543210. After 9 comes 0, and the other way round.
func sequence(p string) bool {
	up, down := true, true
	runes := []rune(p)
	for i := 1; i < len(runes); i++ {
		step := runes[i] - runes[i-1]
		up = up && (step == 1 || runes[i-1] == '9' && runes[i] == '0')
		down = down && (step == -1 || runes[i-1] == '0' && runes[i] == '9')
	}
	return up || down
}

// likeJWT says that p has the form of a JWT: three parts, the first of which is a JSON object in base64.
func likeJWT(p string) bool { return strings.HasPrefix(p, "eyJ") && strings.Count(p, ".") == 2 }
