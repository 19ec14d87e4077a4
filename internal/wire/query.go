package wire

// Parameters of queries.

import (
	"net/url"
	"strconv"

	"larder/internal/problem"
)

// Number reads a parameter that is a whole number, least or more, into to; without the parameter to stays what it is.
// Its error wraps problem.ErrBadPath.
func Number(v url.Values, name string, least int, to *int) error {
	s := v.Get(name)
	if s == "" {
		return nil
	}
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil || int(n) < least {
		return problem.Errorf(problem.ErrBadPath, "%s is not a number from %d", name, least)
	}
	*to = int(n)
	return nil
}
