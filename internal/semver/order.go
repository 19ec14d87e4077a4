package semver

// This file orders versions by their texts.

// Order is how the versions that parse reads are compared, and which of them are pre-releases. What it does not read
// counts as a pre-release.
func Order(parse func(string) (Version, bool)) (compare func(a, b string) int, isPre func(string) bool) {
	compare = func(a, b string) int {
		x, _ := parse(a)
		y, _ := parse(b)
		return x.Compare(y)
	}
	return compare, func(s string) bool {
		v, ok := parse(s)
		return !ok || len(v.Pre) > 0
	}
}
