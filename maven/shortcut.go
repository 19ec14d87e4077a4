package maven

// The paths that resolving asks for all the time, read without the table of routes, which takes twice as long. What is
// here says what the table says; a test holds them together.

import (
	"net/http"
	"strings"

	"larder/maven/names"
)

// shortcut reads GET and HEAD of a file, of metadata, and of their checksums. It leaves everything else to the table.
func shortcut(method, path string) (op string, q Request, ok bool) {
	if method != http.MethodGet && method != http.MethodHead {
		return "", q, false
	}
	path, ok = strings.CutPrefix(path, root+"/")
	if !ok || !ordinary(path) {
		return "", q, false
	}
	q.Path, q.Sum = names.CutSum(path)
	dir, last := cutLast(q.Path)
	if _, twice := names.CutSum(last); q.Sum != "" && twice != "" {
		return "", q, false
	}
	switch parent, version := cutLast(dir); {
	case last != metadataFile:
		if names.IsIvyType(version) {
			return "", q, false
		}
		op, q.File, q.Version, dir = "maven.file", last, version, parent
		if q.Sum != "" {
			op = "maven.sum"
		}
	case names.IsSnapshot(version) && strings.Contains(parent, "/"):
		op, q.Version, dir = "maven.snapshot", version, parent
	default:
		op = "maven.metadata"
	}
	q.Group, q.Artifact = cutLast(dir)
	if q.Artifact == "" || q.Group == "" && q.File != "" || strings.Contains(q.Group, ".") {
		return "", q, false
	}
	q.Group = strings.ReplaceAll(q.Group, "/", ".")
	q.Name = names.PackageName(q.Group, q.Artifact)
	return op, q, true
}

// cutLast cuts the last segment off.
func cutLast(path string) (dir, last string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

// ordinary reports whether a path has no escapes, nothing else that needs a second look, and a usual length.
func ordinary(path string) bool {
	start := 0
	for i := range len(path) + 1 {
		switch {
		case i == len(path) || path[i] == '/':
			if i == start || path[start] == '.' || i-start > maxSegment {
				return false
			}
			start = i + 1
		case path[i] < ' ' || path[i] >= 0x7f, path[i] == '%', path[i] == ':', path[i] == '\\':
			return false
		}
	}
	return len(path) <= maxPath/2
}
