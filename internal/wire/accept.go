package wire

// Which of several media types a client would rather have.

import (
	"strconv"
	"strings"
)

// Accept holds the media ranges of an Accept header with their weights, in thousandths (RFC 9110 12.5.1).
type Accept map[string]int

// ParseAccept reads the values of an Accept header. What cannot be read counts as not sent.
func ParseAccept(values []string) Accept {
	ranges := Accept{}
	for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name, params, _ := strings.Cut(part, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if name == "" {
			continue
		}
		weight := 1000
		for param := range strings.SplitSeq(params, ";") {
			key, value, _ := strings.Cut(strings.TrimSpace(param), "=")
			q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if strings.EqualFold(strings.TrimSpace(key), "q") && err == nil && q >= 0 && q <= 1 {
				weight = int(q * 1000)
			}
		}
		ranges[name] = max(ranges[name], weight)
	}
	return ranges
}

// Weight is the weight of a representation that goes by any of the given names, 0 when it is not acceptable. named says
// that one of them stands in the header, not only a range with a wildcard that it lies in.
func (a Accept) Weight(names ...string) (weight int, named bool) {
	for _, name := range names {
		if w, ok := a[name]; ok {
			weight, named = max(weight, w), true
		}
	}
	if named {
		return weight, true
	}
	for _, name := range names {
		family, _, _ := strings.Cut(name, "/")
		if w, ok := a[family+"/*"]; ok {
			return w, false
		}
	}
	return a["*/*"], false
}
